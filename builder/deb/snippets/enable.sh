# {{.Unit}}: enabled on installation, unless the administrator disabled it.
deb-systemd-helper unmask {{.Unit}} >/dev/null || true
if deb-systemd-helper --quiet was-enabled {{.Unit}}; then
	deb-systemd-helper enable {{.Unit}} >/dev/null || true
else
	deb-systemd-helper update-state {{.Unit}} >/dev/null || true
fi
