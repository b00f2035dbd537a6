// Package mesos is the stand-in for Apache Mesos: a master and an agent that read and strictly
// check the settings that the real ones read, elect a leader in ZooKeeper, register agents with
// it, and answer the real health and state endpoints.
//
// It promises: a setting that makes the real daemon exit makes the stand-in exit with status 1
// and the real daemon's message on standard error; whatever it reports carries "standin": true;
// it waits for ZooKeeper and for a leader as long as it takes, and ends cleanly on SIGTERM.
// It imitates 1.x (flags of 1.11.0) and 0.19 (flags of 0.19.0).
//
// It never runs a task, offers no resources and keeps no replicated log. It knows nothing of
// forge: no inventory, no role.
package mesos
