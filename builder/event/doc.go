// Package event is how a running build says what it is doing.
//
// Stages emit events into a Sink; the CLI decides whether they become bars, plain lines or
// NDJSON. The package must not know any stage, and a Sink must never make a stage fail or wait
// for long.
package event
