// Package marathon is the stand-in for Marathon: it reads and strictly checks the settings that the real one
// reads, elects a leader in ZooKeeper, and answers the real health and information endpoints.
//
// It promises: a setting that makes the real one exit makes the stand-in exit with status 1 and a message in
// the real one's form; whatever it reports carries "standin": true; it waits for ZooKeeper as long as it takes,
// and ends cleanly on SIGTERM. It imitates 0.6 to 1.4, whose start script makes flags of files, and 1.5 and
// later, which read variables MARATHON_NAME.
//
// It never runs an app, knows none, and registers with no Mesos master.
package marathon
