package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/mesos-forge/forge/builder"
	"github.com/mesos-forge/forge/builder/event"
	"github.com/mesos-forge/forge/builder/image/oci"
)

// registryFlags say how a registry is reached.
type registryFlags struct {
	insecure bool
	ca       string
}

func addRegistryFlags(cmd *cobra.Command) *registryFlags {
	var f registryFlags
	cmd.Flags().BoolVar(&f.insecure, "insecure", false, "use http (loopback needs no flag)")
	cmd.Flags().StringVar(&f.ca, "ca", "", "file with certificates that the registry's may be signed with, besides the system's")
	return &f
}

func (f *registryFlags) remote(opt builder.Options) (oci.RemoteOptions, error) {
	o := oci.RemoteOptions{Insecure: f.insecure, Jobs: opt.Jobs}
	if f.ca == "" {
		return o, nil
	}
	trusting, err := oci.TrustCA(f.ca)
	if err != nil {
		return o, usageError{err}
	}
	o.Transport = trusting
	return o, nil
}

// watched does something that takes its time, and shows how it goes on.
func watched(opt builder.Options, name string, do func(event.Sink) error) error {
	sink, started := event.ForStep(opt.Sink, name), time.Now()
	sink.Emit(event.Event{Kind: event.StepStart})
	err := do(sink)
	end := event.Event{Kind: event.StepDone, Duration: time.Since(started)}
	if err != nil {
		end.Kind, end.Err = event.StepFail, err.Error()
	}
	sink.Emit(end)
	endProgress(opt.Sink)
	return err
}
