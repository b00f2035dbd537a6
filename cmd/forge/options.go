package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/docker/go-units"
	"github.com/spf13/pflag"
	"github.com/spf13/viper"

	"github.com/mesos-forge/forge/builder"
	"github.com/mesos-forge/forge/builder/image/disk"
	"github.com/mesos-forge/forge/builder/sandbox"
	"github.com/mesos-forge/forge/builder/source/apt"
)

// exitStatus carries the status of the inner forge, which has said everything already.
type exitStatus int

func (e exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// enter goes on in private namespaces: the error is an exitStatus in the outer process.
func enter() error { return enterAs(sandbox.Entry{}) }

func enterAs(e sandbox.Entry) error {
	code, done, err := sandbox.Enter(e)
	if err != nil {
		return err
	}
	if sig := syscall.Signal(code - 128); done && sig > 0 && sig != syscall.SIGINT { // which it ends with by itself
		fmt.Fprintf(os.Stderr, "forge: killed by signal %d (%v), by hand or for want of memory; what was finished is kept for the next run\n", int(sig), sig)
	}
	if done && code != 0 {
		return exitStatus(code)
	}
	if done {
		os.Exit(0)
	}
	return nil
}

func options(v *viper.Viper) (builder.Options, error) {
	o := builder.Options{Stack: v.GetString("stack"), Roles: v.GetStringSlice("role"), Jobs: v.GetInt("jobs"),
		Refresh: v.GetBool("refresh"), Offline: v.GetBool("offline")}
	if o.Jobs < 0 {
		return o, usageError{fmt.Errorf("--jobs %d: want a number from 1 on", o.Jobs)}
	}
	if out := v.GetString("output"); out != "text" && out != "json" {
		return o, usageError{fmt.Errorf("--output %s: want text or json", out)}
	}
	var err error
	for _, p := range []struct {
		name string
		to   *string
	}{{"checkout", &o.Checkout}, {"store", &o.Store}, {"out", &o.Out}, {"vendor", &o.Vendor}} {
		if *p.to, err = filepath.Abs(v.GetString(p.name)); err != nil {
			return o, fmt.Errorf("--%s: %w", p.name, err)
		}
	}
	if o.Sink, err = newProgress(v.GetString("progress"), v.GetBool("quiet"), os.Stderr); err != nil {
		return o, err
	}
	return o, pipelineOptions(v, &o)
}

// pipelineFlags are the flags of the commands that know the whole pipeline.
func pipelineFlags(f *pflag.FlagSet) {
	f.Bool("locked", false, "build from nothing but the stack's forge.lock")
	f.String("lock", "", "build from nothing but this lock, such as out/ROLE/forge.lock of another build")
	f.String("profile", builder.ProfileLab, "lab: stand-ins take the place of software that can't be had; production: no stand-ins")
	f.StringSlice("format", []string{"qcow2"}, "format of disks: qcow2, raw, vmdk, vhd; repeat for several")
	f.String("disk-size", "", "size of disks, such as 20G (default: what the stack says)")
}

func pipelineOptions(v *viper.Viper, o *builder.Options) error {
	o.Locked, o.Profile = v.GetBool("locked"), v.GetString("profile")
	if o.Profile != "" && o.Profile != builder.ProfileLab && o.Profile != builder.ProfileProduction {
		return usageError{fmt.Errorf("--profile %s: want %s or %s", o.Profile, builder.ProfileLab, builder.ProfileProduction)}
	}
	if name := v.GetString("lock"); name != "" {
		var err error
		if o.Lock, err = filepath.Abs(name); err != nil {
			return fmt.Errorf("--lock: %w", err)
		}
	}
	for _, name := range v.GetStringSlice("format") {
		format := disk.Format(name)
		if !slices.Contains(disk.Formats(), format) {
			return usageError{fmt.Errorf("--format %s: want one of %v", name, disk.Formats())}
		}
		if !slices.Contains(o.Formats, format) {
			o.Formats = append(o.Formats, format)
		}
	}
	var err error
	if o.DiskSize, err = diskSize(v.GetString("disk-size")); err != nil {
		return err
	}
	if s := os.Getenv("SOURCE_DATE_EPOCH"); s != "" {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n < 0 {
			return usageError{fmt.Errorf("SOURCE_DATE_EPOCH=%s: want seconds since 1970", s)}
		}
		o.Epoch = time.Unix(n, 0).UTC()
	}
	o.Mirror = apt.Mirror{Main: v.GetString("apt.mirror"), Security: v.GetString("apt.security_mirror"), Keyring: v.GetString("apt.keyring")}
	o.Archives = map[string]apt.Mirror{}
	for name := range v.GetStringMap("apt.archives") {
		of := func(key string) string { return v.GetString("apt.archives." + name + "." + key) }
		o.Archives[name] = apt.Mirror{Main: of("mirror"), Security: of("security_mirror"), Keyring: of("keyring")}
	}
	o.Builds = builds(v)
	o.MaxIndexAge = v.GetDuration("apt.max_age")
	o.Mirrors, o.Accept = v.GetStringSlice("mirrors"), v.GetStringSlice("accept")
	return nil
}

// builds are the settings of what is built of a repository.
func builds(v *viper.Viper) map[string]builder.Build {
	out := map[string]builder.Build{}
	for name := range v.GetStringMap("builds") {
		of := func(key string) string { return v.GetString("builds." + name + "." + key) }
		out[name] = builder.Build{Repository: of("repository"), Commit: of("commit"), JavaHome: of("java_home")}
	}
	return out
}

// diskSize reads a size of a disk, in bytes; "" is 0.
func diskSize(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	size, err := units.RAMInBytes(s)
	if err != nil || size < 1<<30 || size%(1<<20) != 0 {
		return 0, usageError{fmt.Errorf("--disk-size %s: want a size of whole MiB from 1G on, such as 20G", s)}
	}
	return size, nil
}
