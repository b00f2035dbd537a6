package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/docker/docker/client"
	"github.com/spf13/cobra"

	"github.com/mesos-forge/forge/builder"
	"github.com/mesos-forge/forge/builder/fleet"
	"github.com/mesos-forge/forge/builder/image/oci"
)

// pingTime is how long an engine may take to answer at all.
const pingTime = 10 * time.Second

// clusterFlags say which cluster in which engine a command is about.
type clusterFlags struct {
	host, inventory, name string
}

func (c *clusterFlags) engineFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.host, "host", "", "address of the engine (default: DOCKER_HOST, or its usual socket)")
	cmd.Flags().StringVar(&c.inventory, "inventory", "", "the inventory (default cluster.yaml)")
}

func (c *clusterFlags) flags(cmd *cobra.Command) {
	c.engineFlag(cmd)
	cmd.Flags().StringVar(&c.name, "cluster", "", "the cluster's name (default: the inventory's, or the only cluster that is up)")
}

// engine connects to the engine, and says what to do if it does not answer.
func (c *clusterFlags) engine(ctx context.Context) (*client.Client, error) {
	engine, err := oci.NewEngine(c.host)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, pingTime, fmt.Errorf("no answer within %v", pingTime))
	defer cancel()
	if _, err := engine.Ping(ctx); err != nil {
		_ = engine.Close()
		return nil, fmt.Errorf("container engine %s: %w", engine.DaemonHost(), oci.EngineError(err))
	}
	return engine, nil
}

// fleet finds the cluster: the one that is named, the inventory's, or the only one in the engine.
func (c *clusterFlags) fleet(ctx context.Context) (*fleet.Fleet, error) {
	engine, err := c.engine(ctx)
	if err != nil {
		return nil, err
	}
	name, err := c.cluster(ctx, engine)
	if err != nil {
		return nil, errors.Join(err, engine.Close())
	}
	return &fleet.Fleet{Engine: engine, Cluster: name}, nil
}

func (c *clusterFlags) cluster(ctx context.Context, engine *client.Client) (string, error) {
	if c.name != "" && c.inventory != "" {
		return "", usageError{errors.New("--cluster and --inventory exclude each other")}
	}
	if c.name != "" {
		return c.name, nil
	}
	path := c.inventory
	if path == "" {
		path = "cluster.yaml"
	}
	name, err := builder.ClusterName(path)
	if err == nil || c.inventory != "" || !errors.Is(err, fs.ErrNotExist) {
		return name, err
	}
	up, err := fleet.Clusters(ctx, engine)
	if err != nil {
		return "", oci.EngineError(err)
	}
	switch len(up) {
	case 0:
		return "", errors.New("no cluster is up in this engine; start one with: forge up")
	case 1:
		return up[0], nil
	}
	return "", fmt.Errorf("%d clusters are up: %s; name one with --cluster", len(up), strings.Join(up, ", "))
}

// givenInventory is the inventory that a person named, or cluster.yaml, or else the example; so says the second
// result.
func givenInventory(name, checkout string) (path string, example bool) {
	if name != "" {
		return name, false
	}
	if _, err := os.Stat("cluster.yaml"); !errors.Is(err, fs.ErrNotExist) {
		return "cluster.yaml", false
	}
	return builder.ExampleInventory(checkout), true
}
