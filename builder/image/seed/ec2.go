package seed

import "fmt"

// MaxEC2 is the largest user-data of an EC2 instance, in bytes, before the
// base64 that its API adds (EC2, "Run commands when you launch an EC2 instance
// with user data input").
const MaxEC2 = 16384

// ec2UserData takes a validated spec. What is too large as text is compressed,
// which cloud-init sees by itself.
func ec2UserData(spec Spec) ([]byte, error) {
	user, err := userDataOf(spec)
	if err != nil || len(user) <= MaxEC2 {
		return user, err
	}
	packed, err := pack(user)
	if err != nil || len(packed) <= MaxEC2 {
		return packed, err
	}
	inventory, err := pack(spec.Inventory)
	if err != nil {
		return nil, err
	}
	own, keys := 0, 0
	for _, p := range spec.Parts {
		own += len(p.Content)
	}
	for _, k := range spec.SSHKeys {
		keys += len(k)
	}
	return nil, &SpecError{Node: spec.Node, Field: "Format", Err: fmt.Errorf(
		"the user-data has %d bytes, %d compressed; EC2 takes %d. It holds an inventory of %d bytes (%d compressed), %d bytes of SSH keys, %d bytes of other user-data; drop comments, keys or scripts, or let a script fetch what is large",
		len(user), len(packed), MaxEC2, len(spec.Inventory), len(inventory), keys, own)}
}
