# {{.Unit}}: installed disabled; what an administrator enabled stays so.
if deb-systemd-helper debian-installed {{.Unit}}; then
	deb-systemd-helper unmask {{.Unit}} >/dev/null || true
	if deb-systemd-helper --quiet was-enabled {{.Unit}}; then
		deb-systemd-helper enable {{.Unit}} >/dev/null || true
	fi
fi
deb-systemd-helper update-state {{.Unit}} >/dev/null || true
