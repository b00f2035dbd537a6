package seed

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
)

// ConfigDriveID is the label of an OpenStack configuration drive.
const ConfigDriveID = "config-2"

// openStackMeta is openstack/latest/meta_data.json, with the keys that
// cloud-init reads (OpenStack, "Metadata service").
type openStackMeta struct {
	UUID     string            `json:"uuid"`
	Hostname string            `json:"hostname"`
	Name     string            `json:"name"`
	Meta     map[string]string `json:"meta,omitempty"` // a server's properties
}

// openStackNetwork is openstack/latest/network_data.json.
type openStackNetwork struct {
	Links    []openStackLink    `json:"links"`
	Networks []openStackSubnet  `json:"networks"`
	Services []openStackService `json:"services"`
}

type openStackLink struct {
	ID   string `json:"id"`
	Name string `json:"name"` // cloud-init's own key, for a link whose MAC address nobody knows
	Type string `json:"type"`
}

type openStackSubnet struct {
	ID      string           `json:"id"`
	Link    string           `json:"link"`
	Type    string           `json:"type"`
	Address string           `json:"ip_address,omitempty"`
	Netmask string           `json:"netmask,omitempty"`
	Routes  []openStackRoute `json:"routes,omitempty"`
}

type openStackRoute struct {
	Network string `json:"network"`
	Netmask string `json:"netmask"`
	Gateway string `json:"gateway"`
}

type openStackService struct {
	Type    string `json:"type"`
	Address string `json:"address"`
}

// openStackFiles returns the files of a configuration drive, by their path in
// it. It takes a validated spec.
func openStackFiles(spec Spec) (map[string][]byte, error) {
	user, err := userDataOf(spec)
	if err != nil {
		return nil, err
	}
	network, err := json.MarshalIndent(openStackNetworkOf(spec), "", "  ")
	if err != nil {
		return nil, err
	}
	meta := openStackMeta{Hostname: spec.Node, Name: spec.Node}
	if id := spec.identityIn(InMetaData); id != nil {
		meta.Meta = map[string]string{"forge.role": string(id.Role), "forge.node": string(id.Node)}
	}
	said, err := json.Marshal(meta)
	if err != nil {
		return nil, err
	}
	meta.UUID = uuidOf(fingerprint(user, network, said))
	if said, err = json.MarshalIndent(meta, "", "  "); err != nil {
		return nil, err
	}
	return map[string][]byte{
		"openstack/latest/meta_data.json":    append(said, '\n'),
		"openstack/latest/network_data.json": append(network, '\n'),
		"openstack/latest/user_data":         user,
	}, nil
}

// uuidOf makes a UUID of version 8 (RFC 9562, section 5.8) of the first 32 hexadecimal digits.
func uuidOf(digits string) string {
	return fmt.Sprintf("%s-%s-8%s-8%s-%s", digits[:8], digits[8:12], digits[13:16], digits[17:20], digits[20:32])
}

// openStackNetworkOf takes a validated spec. The link's name is the pattern
// that network-config has, for the same reason.
func openStackNetworkOf(spec Spec) openStackNetwork {
	n := openStackNetwork{Links: []openStackLink{{ID: "link0", Name: linkPattern, Type: "phy"}}, Services: []openStackService{}}
	subnet := openStackSubnet{ID: "network0", Link: "link0", Type: "ipv4_dhcp"}
	if p, err := netip.ParsePrefix(spec.Address); err == nil {
		subnet.Type, subnet.Address, subnet.Netmask = "ipv4", p.Addr().String(), netmask(p.Bits(), 32)
		everything := "0.0.0.0"
		if p.Addr().Is6() {
			subnet.Type, subnet.Netmask, everything = "ipv6", netmask(p.Bits(), 128), "::"
		}
		if spec.Gateway != "" {
			subnet.Routes = []openStackRoute{{Network: everything, Netmask: everything, Gateway: spec.Gateway}}
		}
	}
	n.Networks = []openStackSubnet{subnet}
	for _, server := range spec.DNS {
		n.Services = append(n.Services, openStackService{Type: "dns", Address: server})
	}
	return n
}

func netmask(ones, bits int) string { return net.IP(net.CIDRMask(ones, bits)).String() }
