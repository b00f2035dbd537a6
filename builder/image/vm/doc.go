// Package vm boots a disk image under QEMU and asks the agent inside how it is.
//
// Start runs the machine, Machine.WaitFor waits until its node has reached a level, Machine.Status,
// Facts and Log ask the agent, Machine.Attach connects a person to the serial console,
// Machine.PowerOff and Close end it.
//
// Promises:
//
//   - The disk that is booted is never written: the machine works on a qcow2 overlay that goes away
//     with it.
//   - KVM is used only where a guest has really run under it: /dev/kvm exists, and can be opened, on
//     machines on which every guest hangs. Accelerator runs a boot sector with a deadline and
//     remembers the answer for this boot of the host.
//   - The agent is asked over a virtio-serial port, so that a machine without a network can answer.
//   - Whatever goes wrong, the error says how far the node came and ends with the console's last
//     lines; QEMU's own early end comes with what it said.
//   - When the context given to Start ends, QEMU is killed, and its sockets and files go.
//
// The package needs QEMU, and OVMF for UEFI, of the host or of a file tree (Programs.Root); it must
// not know how disks and seeds are made, nor recipes, steps or the store.
//
// Specifications: the QEMU Machine Protocol (docs/interop/qmp-spec), isa-debug-exit, and the agent's
// line protocol (cmd/forge-node, serve).
package vm
