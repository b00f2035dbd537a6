package seed

import "net/netip"

type networkConfig struct {
	Version   int       `yaml:"version"`
	Ethernets ethernets `yaml:"ethernets"`
}

// ethernets has one key, which is itself the pattern: the networkd renderer
// of cloud-init 22.4 ignores match and writes the key as the link's name.
type ethernets struct {
	All ethernet `yaml:"e*"` // linkPattern
}

// linkPattern matches the names that Linux gives to wired links.
const linkPattern = "e*"

type ethernet struct {
	Match       match        `yaml:"match"`
	Optional    bool         `yaml:"optional"` // or boot waits two minutes for a link
	DHCP4       bool         `yaml:"dhcp4"`
	Addresses   []text       `yaml:"addresses,omitempty"`
	Routes      []route      `yaml:"routes,omitempty"`
	NameServers *nameServers `yaml:"nameservers,omitempty"`
}

type match struct {
	Name text `yaml:"name"`
}

type route struct {
	To  text `yaml:"to"`
	Via text `yaml:"via"`
}

type nameServers struct {
	Addresses []text `yaml:"addresses"`
}

// networkOf takes a validated spec.
func networkOf(spec Spec) networkConfig {
	e := ethernet{Match: match{Name: linkPattern}, Optional: true, DHCP4: spec.Address == ""}
	if spec.Address != "" {
		e.Addresses = []text{text(spec.Address)}
	}
	if spec.Gateway != "" {
		// Not "default": cloud-init 22.4 refuses the word.
		to := text("0.0.0.0/0")
		if a, err := netip.ParseAddr(spec.Gateway); err == nil && a.Is6() {
			to = "::/0"
		}
		e.Routes = []route{{To: to, Via: text(spec.Gateway)}}
	}
	if len(spec.DNS) > 0 {
		e.NameServers = &nameServers{}
		for _, server := range spec.DNS {
			e.NameServers.Addresses = append(e.NameServers.Addresses, text(server))
		}
	}
	return networkConfig{Version: 2, Ethernets: ethernets{All: e}}
}
