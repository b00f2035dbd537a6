package seed

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// contradiction tells which key of an operator's cloud-config says something
// else than forge does, or would keep cloud-init from reading both.
func contradiction(config map[string]any, spec Spec) error {
	for _, key := range slices.Sorted(maps.Keys(config)) {
		check := contradictions[key]
		if check == nil {
			continue
		}
		if err := check(config[key], spec); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	return nil
}

var contradictions = map[string]func(value any, spec Spec) error{
	"hostname":                  checkHostname,
	"fqdn":                      checkFQDN,
	"prefer_fqdn_over_hostname": checkFalse("the host name is the node's name in the inventory"),
	"preserve_hostname":         checkFalse("the host name is the node's name in the inventory"),
	"manage_etc_hosts":          checkFalse("/etc/hosts is forge-node's: \"127.0.1.1 NAME\" would bind Hadoop to loopback"),
	"merge_how":                 checkAbsent("forge says how cloud-init merges: lists are appended"),
	"merge_type":                checkAbsent("forge says how cloud-init merges: lists are appended"),
	"write_files":               checkWriteFiles,
	"mounts":                    checkMountEntries,
	"fs_setup":                  checkFileSystems,
	"disk_setup":                checkPartitions,
	"ssh_authorized_keys":       checkList,
	"bootcmd":                   checkList,
	"runcmd":                    checkList,
	"cloud_init_modules":        checkAbsent("the image says which modules run; without some of them it would not become a node"),
	"cloud_config_modules":      checkAbsent("the image says which modules run"),
	"cloud_final_modules":       checkAbsent("the image says which modules run"),
	"datasource_list":           checkAbsent("the image says where a seed may come from"),
}

func checkHostname(value any, spec Spec) error {
	if value != spec.Node {
		return fmt.Errorf("%v contradicts the node's name, %s; leave the key out", value, spec.Node)
	}
	return nil
}

func checkFQDN(value any, spec Spec) error {
	if name, _, _ := strings.Cut(fmt.Sprint(value), "."); name != spec.Node {
		return fmt.Errorf("%v contradicts the node's name; use %s.DOMAIN, or leave the key out", value, spec.Node)
	}
	return nil
}

// checkFalse knows the words of YAML 1.1 for false, which is what cloud-init reads.
func checkFalse(why string) func(any, Spec) error {
	return func(value any, _ Spec) error {
		if slices.Contains([]string{"false", "no", "off", "n"}, strings.ToLower(fmt.Sprint(value))) {
			return nil
		}
		return fmt.Errorf("%v contradicts forge: %s; leave the key out", value, why)
	}
}

func checkAbsent(why string) func(any, Spec) error {
	return func(any, Spec) error { return fmt.Errorf("can't be set beside forge: %s; leave the key out", why) }
}

func checkList(value any, _ Spec) error {
	_, err := list(value)
	return err
}

func list(value any) ([]any, error) {
	items, ok := value.([]any)
	if !ok {
		return nil, fmt.Errorf("want a list, to append it to forge's; got %T", value)
	}
	return items, nil
}

// forgeFiles are what forge, or forge-node, writes.
var forgeFiles = []string{"/etc/forge", "/etc/hosts", "/etc/hostname"}

func checkWriteFiles(value any, _ Spec) error {
	items, err := list(value)
	if err != nil {
		return err
	}
	for i, item := range items {
		entry, _ := item.(map[string]any)
		p, ok := entry["path"].(string)
		if !ok || !path.IsAbs(p) {
			return fmt.Errorf("entry %d has no absolute path", i+1)
		}
		for _, own := range forgeFiles {
			if clean := path.Clean(p); clean == own || strings.HasPrefix(clean, own+"/") {
				return fmt.Errorf("entry %d writes %s, which is forge's own; name secrets with --secret, and change the rest in the inventory", i+1, p)
			}
		}
	}
	return nil
}

func checkMountEntries(value any, spec Spec) error {
	items, err := list(value)
	if err != nil {
		return err
	}
	for i, item := range items {
		entry, err := list(item)
		if err != nil || len(entry) < 2 {
			return fmt.Errorf("entry %d is not a list of a device and a mount point", i+1)
		}
		for _, m := range spec.Mounts {
			if at := path.Clean(fmt.Sprint(entry[1])); at == path.Clean(m.Path) {
				return fmt.Errorf("entry %d mounts %v on %s, where the inventory mounts %s", i+1, entry[0], at, cmp.Or(m.Source, m.Device))
			}
		}
	}
	return nil
}

func checkFileSystems(value any, spec Spec) error {
	items, err := list(value)
	if err != nil {
		return err
	}
	for _, item := range items {
		entry, _ := item.(map[string]any)
		if err := checkDevice(fmt.Sprint(entry["device"]), spec); err != nil {
			return err
		}
	}
	return nil
}

func checkPartitions(value any, spec Spec) error {
	devices, ok := value.(map[string]any)
	if !ok {
		return fmt.Errorf("want a mapping of devices; got %T", value)
	}
	for _, device := range slices.Sorted(maps.Keys(devices)) {
		if err := checkDevice(device, spec); err != nil {
			return err
		}
	}
	return nil
}

func checkDevice(device string, spec Spec) error {
	for _, m := range spec.Mounts {
		if m.Device != "" && m.Device == device {
			return fmt.Errorf("%s is a data disk of the inventory, which forge-node formats, and only when it is blank", device)
		}
	}
	return nil
}
