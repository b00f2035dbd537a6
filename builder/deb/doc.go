// Package deb makes Debian packages (deb(5), Debian policy 4) from files and nfpm settings.
//
// nfpm gives the schema of a recipe's package block, plans that block's contents and writes the
// control archive. The data archive is written here, as a stream: nfpm's own packager holds it in
// memory twice, and some packages have several hundred MB.
//
// It promises:
//
//   - The same Spec and epoch give the same bytes, whatever the umask, time zone, locale, user
//     and file times; memory does not grow with the content.
//   - Everything in the data archive belongs to root; files of other owners get theirs from the
//     postinst, after it has made the users with their fixed ids. An id that is taken by another
//     name is an error of the installation.
//   - No maintainer script starts a service, and only units named in Spec.Enable are enabled.
//     They work in a chroot and in a container without systemd.
//   - Purge leaves no file but what lies in directories with data; users stay.
//
// It must not know the graph, the store, a rootfs or an image.
package deb
