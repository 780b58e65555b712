// Renders a Helm chart as Helm does: the same templates by the same package, with those of its functions that the chart uses.
// Reads the chart's folder from its arguments and {"Values", "Release", "Chart"} from stdin, prints YAML.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"text/template"
)

func main() {
	decoder := json.NewDecoder(os.Stdin)
	decoder.UseNumber()
	var data map[string]any
	must(decoder.Decode(&data))
	all := template.New("chart").Option("missingkey=zero")
	all.Funcs(template.FuncMap{
		"include": func(name string, data any) (string, error) {
			var text bytes.Buffer
			err := all.ExecuteTemplate(&text, name, data)
			return text.String(), err
		},
		"toYaml":  func(value any) string { return strings.TrimPrefix(yaml(value, ""), "\n") },
		"nindent": func(spaces int, text string) string { return "\n" + indented(spaces, text) },
		"quote":   func(value any) string { return fmt.Sprintf("%q", fmt.Sprint(value)) },
		"default": func(usual, value any) any {
			if value == nil || value == "" {
				return usual
			}
			return value
		},
		"trunc":      func(length int, text string) string { return text[:min(length, len(text))] },
		"trimSuffix": func(suffix, text string) string { return strings.TrimSuffix(text, suffix) },
		"sha256sum":  func(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) },
	})
	files, err := filepath.Glob(filepath.Join(os.Args[1], "templates", "*"))
	must(err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		must(err)
		template.Must(all.New(filepath.Base(file)).Parse(string(text)))
	}
	for _, file := range files {
		if filepath.Ext(file) != ".yaml" {
			continue
		}
		fmt.Println("---")
		must(all.ExecuteTemplate(os.Stdout, filepath.Base(file), data))
	}
}

func min(a, b int) int {
	if a < b {
		return a
	}
	return b
}

func indented(spaces int, text string) string {
	pad := strings.Repeat(" ", spaces)
	return pad + strings.ReplaceAll(text, "\n", "\n"+pad)
}

// yaml prints a block that begins with a line break, or a scalar.
func yaml(value any, pad string) string {
	switch value := value.(type) {
	case map[string]any:
		if len(value) == 0 {
			return " {}"
		}
		keys := make([]string, 0, len(value))
		for key := range value {
			keys = append(keys, key)
		}
		sort.Strings(keys)
		text := ""
		for _, key := range keys {
			text += "\n" + pad + key + ":" + yaml(value[key], pad+"  ")
		}
		return text
	case []any:
		if len(value) == 0 {
			return " []"
		}
		text := ""
		for _, item := range value {
			text += "\n" + pad + "-" + yaml(item, pad+"  ")
		}
		return text
	default:
		text, err := json.Marshal(value)
		must(err)
		return " " + string(text)
	}
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
