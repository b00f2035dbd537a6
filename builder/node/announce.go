package node

import (
	"context"
	"fmt"
	"strings"
)

// issuePath is what agetty prints above its login prompt, by way of the link
// /etc/issue.d/forge.issue in the agent's package. It lies in /run: each boot
// tells of itself.
const issuePath = "/run/issue.d/forge.issue"

// announce says above the login prompts of the console which node this is and
// how its last run ended, as what that printed has scrolled away by then.
func (n *Node) announce(ctx context.Context, r *Resolved, end *outcome) error {
	if n.Container {
		return nil
	}
	changed, err := write(n.ours(issuePath, []byte(issue(r, end)), 0o644))
	if err != nil {
		return fmt.Errorf("say on the console how the node is: %w", err)
	}
	systemd, ok := n.Supervisor.(*Systemd)
	if !changed || !ok {
		return nil
	}
	// Prompts that are shown already are printed anew, unless somebody types there. Without agetty
	// there is no prompt.
	_, _ = systemd.Exec(ctx, User{}, []string{"agetty", "--reload"})
	return nil
}

// issue is the text: in such a file a backslash begins an escape.
func issue(r *Resolved, end *outcome) string {
	who := "this machine is no node yet"
	if r != nil {
		who = fmt.Sprintf("node %s, role %s, cluster %s", r.Identity.Node, r.Identity.Role, r.Data().Cluster.Name)
	}
	lines := []string{"forge: " + who + ": configured and started; forge-node status says how it is now"}
	if len(end.Errors)+len(end.NotUp)+len(end.Waiting) > 0 {
		lines = []string{"forge: " + who}
	}
	for _, e := range end.Errors {
		lines = append(lines, "forge: FAILED: "+strings.ReplaceAll(strings.TrimSpace(e), "\n", "\n  "))
	}
	for _, late := range end.NotUp {
		lines = append(lines, "forge: "+late.String())
	}
	if len(lines) > 1 {
		lines = append(lines, "forge: mend what this names, then run forge-node apply or reboot")
	}
	for _, w := range end.Waiting {
		lines = append(lines, "forge: "+w.String())
	}
	return strings.ReplaceAll(strings.Join(lines, "\n"), `\`, `\\`) + "\n\n"
}
