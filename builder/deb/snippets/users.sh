# Users and groups. Their ids never change, because data disks and network file
# systems outlive this machine: an id that is taken stops the installation.
forge_check_id() { # database name id
	have=$(getent "$1" "$2" | cut -d: -f3)
	other=$(getent "$1" "$3" | cut -d: -f1)
	if [ "${have:-$3}" != "$3" ]; then
		echo "{{.Name}}: $2 ($1) must have the id $3, but has $have: change it and the owner of its files" >&2
		exit 1
	fi
	if [ "${other:-$2}" != "$2" ]; then
		echo "{{.Name}}: $2 ($1) must have the id $3, which belongs to $other: give $other another id" >&2
		exit 1
	fi
}
{{- range .Groups}}
forge_check_id group {{.Name}} {{.GID}}
{{- end}}
{{- range .Users}}
forge_check_id passwd {{.Name}} {{.UID}}
{{- end}}
if command -v systemd-sysusers >/dev/null; then
	systemd-sysusers {{.SysusersPath}}
else
{{- range .Groups}}
	getent group {{.Name}} >/dev/null || groupadd --system --gid {{.GID}} {{.Name}}
{{- end}}
{{- range .Users}}
	getent passwd {{.Name}} >/dev/null || useradd --system --uid {{.UID}} --gid {{.Group}} \
		--home-dir {{.Home}} --no-create-home --shell {{shell .}} --comment '{{.Comment}}' {{.Name}}
{{- $user := .Name}}
{{- range .Groups}}
	usermod --append --groups {{.}} {{$user}}
{{- end}}
{{- end}}
fi
