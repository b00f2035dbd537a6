// Package rootfs makes file trees with Debian packages installed and configured.
//
// Base makes a tree from nothing, Delta makes what is laid over finished trees (an overlayfs
// upper layer), Seal takes out of either what must not be in an image, and Compare says how two
// trees differ.
//
// What an install does, and who does it here:
//
//   - The packages are unpacked by forge, side by side, and forge writes what dpkg would have
//     written into its database: state "unpacked", lists, conffiles still named .dpkg-new,
//     triggers. Files of one package in another are an error unless Replaces allows it, and
//     diversions of a lower tree are honoured.
//   - The preinst scripts run next, as "preinst install", in the sandbox.
//     Their packages' files are in place already, as they are when debootstrap or mmdebstrap
//     unpack a system's first packages.
//   - dpkg itself configures: conffiles, postinst scripts, triggers. No service starts
//     (policy-rc.d says 101). Since everything is unpacked first, triggers come up once.
//
// A package whose preinst cannot be run late goes through dpkg --unpack instead, in the sandbox,
// after the others (and what depends on it is configured after that). The rule: it is installed
// in a lower tree already, in whatever version; or it is none of the core (Essential packages
// with what these depend on), and its preinst calls dpkg-divert, or it has a preinst and a
// Pre-Depends on a package that is none of the core either and has a postinst.
//
// Promises: nothing is synced (whoever stores a tree syncs it); the result depends on the
// packages and the epoch alone, not on their order, the number of jobs, the clock, the umask, the
// time zone or the locale; ids are those that the packages' scripts ask for.
//
// The package must not know where packages come from, what a role is, nor what is made of a tree.
package rootfs
