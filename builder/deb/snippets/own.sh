# The package's own part.
forge_own_part() (
{{.Text}}
)
forge_own_part "$@"
