package settings

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The page is what the settings say: UPDATE_DOCS=1 writes it.
func TestReferencePage(t *testing.T) {
	const page = "../../../../docs/gobeaker.toml.md"
	want := markdown()
	if os.Getenv("UPDATE_DOCS") == "1" {
		require.NoError(t, os.WriteFile(page, []byte(want), 0o644))
	}
	got, err := os.ReadFile(page)
	require.NoError(t, err)
	require.Equal(t, want, string(got), "UPDATE_DOCS=1 go test ./cmd/gobeaker/internal/settings writes the page")
}

// markdown is the reference as a page of the documentation.
func markdown() string {
	var b strings.Builder
	head, flags, _ := strings.Cut(referenceHead, "\n  --route")
	b.WriteString("# gobeaker.toml\n\n" + strings.ReplaceAll(escaped(head), "\n\n\n", "\n\n") + "\n```text\n  --route" + flags + "```\n")
	for _, t := range Tables() {
		name := "Top level"
		if t.Name != "" {
			name = "`" + t.Name + "`"
		}
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", name, escaped(sentence(t.Help)))
		if len(t.Keys) == 0 {
			continue
		}
		b.WriteString("\n| Key | Value | Default | What it does |\n| --- | --- | --- | --- |\n")
		for _, k := range t.Keys {
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", code(k.Name), strings.ReplaceAll(k.Value, "|", " or "), code(k.Default), escaped(k.Help))
		}
	}
	return b.String()
}

func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + text + "`"
}

// escaped keeps Markdown from reading signs in a text.
func escaped(text string) string {
	return strings.NewReplacer("|", `\|`, "*", `\*`, "<", `\<`, "[", `\[`, "]", `\]`, "_", `\_`).Replace(text)
}

func sentence(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + strings.TrimSuffix(text[1:], ".") + "."
}
