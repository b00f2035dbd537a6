// Package report writes report.html: one file in which a person sees what a build made, how long
// each step took, what is in the images, and which stand-ins.
//
// It promises: the page needs nothing but itself, no network and no script; all that comes from
// outside is escaped; light and dark follow the reader's setting. The page holds times of the
// clock, so it is the one result that differs between two builds of the same inputs.
//
// It must not know how anything was made: it is given a Data and renders it. It imports no stage.
package report
