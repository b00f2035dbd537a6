// Command comparetrees compares mmdebstrap's tree with forge's, for hack/bench. It seals the first as
// forge seals its own, and prints a line for each reason why paths differ. Differences without a known
// reason are printed path by path, and make the exit status 1.
package main

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/mesos-forge/forge/builder/rootfs"
	"github.com/mesos-forge/forge/builder/rootfs/rootfstest"
	"github.com/mesos-forge/forge/builder/sandbox"
)

func main() {
	sandbox.Init()
	epoch := flag.Int64("epoch", 0, "SOURCE_DATE_EPOCH of both trees")
	flag.Parse()
	if flag.NArg() != 2 {
		fmt.Fprintln(os.Stderr, "usage: comparetrees -epoch SECONDS MMDEBSTRAP-TREE FORGE-TREE")
		os.Exit(2)
	}
	unexplained, err := compare(context.Background(), flag.Arg(0), flag.Arg(1), time.Unix(*epoch, 0).UTC())
	if err != nil {
		fmt.Fprintln(os.Stderr, "comparetrees:", err)
		os.Exit(1)
	}
	if unexplained > 0 {
		os.Exit(1)
	}
}

func compare(ctx context.Context, theirs, ours string, epoch time.Time) (unexplained int, err error) {
	if err := rootfs.Seal(ctx, rootfs.SealSpec{Dir: theirs, Epoch: epoch}); err != nil {
		return 0, err
	}
	differences, err := rootfs.Compare(ctx, theirs, ours)
	if err != nil {
		return 0, err
	}
	paths := map[string]int{}
	for _, d := range differences {
		reason := rootfstest.Explain(d)
		if reason == "" {
			unexplained++
			fmt.Println("NOT EXPLAINED:", d)
			continue
		}
		paths[reason]++
	}
	for _, reason := range slices.Sorted(maps.Keys(paths)) {
		fmt.Printf("%d: %s\n", paths[reason], reason)
	}
	return unexplained, nil
}
