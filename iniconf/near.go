package iniconf

import (
	"slices"
	"strings"
)

// Nearest returns the one of the known names that somebody who wrote name most
// probably meant: it is at most two letters away, and less than half of them.
// It returns "" if there is none.
func Nearest(name string, known []string) string {
	const longest = 32
	if len(name) > longest {
		return ""
	}
	best, found := 3, ""
	for _, k := range known {
		if len(k)-len(name) >= best || len(name)-len(k) >= best {
			continue
		}
		if d := distance(strings.ToLower(name), k); d < best && d < len(k)/2 {
			best, found = d, k
		}
	}
	return found
}

// distance is Levenshtein's.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// beakerNames are the names of the options that Python knows.
var beakerNames = func() (names []string) {
	for _, info := range optionInfos {
		if !info.Ours {
			names = append(names, info.Name)
		}
	}
	return names
}()

// meant returns the option that somebody who wrote name after a prefix probably meant,
// "" if there is none. Two prefixes in a row are one too many.
func meant(name string) string {
	if bare, _, ok := bareName(name); ok && slices.Contains(beakerNames, bare) {
		return bare
	}
	if _, option := strayKey(name); option != "" {
		return option
	}
	if near := Nearest(name, beakerNames); near != "" {
		return near
	}
	bare := strings.ReplaceAll(strings.ToLower(name), "-", "_")
	if bare != name && slices.Contains(beakerNames, bare) {
		return bare
	}
	return ""
}

// stray warns of a setting that Beaker does not see, because its prefix is only nearly
// one of Beaker's.
func (s *sessionSettings) stray(set Setting) {
	prefix, option := strayKey(set.Key)
	if option == "" {
		return
	}
	s.warnAbout(CodeWrongPrefix, option, set, "Beaker does not see this: the prefix %q is none of its own; did you mean %s%s?", clip(prefix), goodPrefix(prefix), option)
}

// goodPrefix is the one of Beaker's that a wrong one is like.
func goodPrefix(wrong string) string {
	if len(wrong) > len("session.")+2 {
		return "beaker.session."
	}
	return "session."
}

// strayKey takes a key apart that is like a prefix of Beaker's and an option, and whose
// prefix is none.
func strayKey(key string) (prefix, option string) {
	const longest = 64
	if len(key) > longest {
		return "", ""
	}
	for i := range len(key) {
		if !strings.ContainsRune("._-", rune(key[i])) {
			continue
		}
		prefix, option := key[:i+1], strings.ToLower(key[i+1:])
		if _, _, fine := bareName(prefix); fine || !likePrefix(prefix) {
			continue
		}
		if slices.Contains(beakerNames, option) {
			return prefix, option
		}
		if near := Nearest(option, beakerNames); near != "" {
			return prefix, near
		}
	}
	return "", ""
}

// separators that people mix up are all one.
var oneSeparator = strings.NewReplacer("_", ".", "-", ".")

// likePrefix: a letter or two away from "beaker.session.", or one from "session.", whose
// neighbours ("version.") are words of their own. Two letters in the wrong order count
// as one.
func likePrefix(prefix string) bool {
	prefix = oneSeparator.Replace(strings.ToLower(prefix))
	short, long := distance(prefix, "session."), distance(prefix, "beaker.session.")
	return short <= 1 || long <= 2 || short == 2 && sortedLetters(prefix) == sortedLetters("session.")
}

func sortedLetters(s string) string {
	letters := []byte(s)
	slices.Sort(letters)
	return string(letters)
}
