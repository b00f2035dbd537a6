# Files that do not belong to root, unless the administrator decided otherwise.
forge_own() { # owner:group mode path
	if [ -e "$3" ] && [ ! -L "$3" ] && ! dpkg-statoverride --list "$3" >/dev/null; then
		chown "$1" "$3"
		chmod "$2" "$3"
	fi
}
{{- range .Owned}}
forge_own {{.Owner}}:{{.Group}} {{printf "%04o" .Mode}} {{.Path}}
{{- end}}
