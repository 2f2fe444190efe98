package iniconf

import (
	"path"
	"strings"
)

// cachePrefixes are those that beaker/util.py, parse_cache_config_options, knows.
var cachePrefixes = [...]string{"beaker.cache.", "cache."}

// cacheName cuts a prefix of the cache's settings off.
func cacheName(key string) (name string, ok bool) {
	for _, prefix := range cachePrefixes {
		if name, ok := strings.CutPrefix(key, prefix); ok {
			return name, true
		}
	}
	return "", false
}

// Cache returns the settings of Beaker's cache that the application has
// (beaker.cache.*, cache.*), as they stand in the file. gobeaker has no cache; they are
// here so that nobody takes them for sessions' or for mistakes. A composite has those of
// the application that its session settings are from.
func (c *Config) Cache() []Setting {
	if inside, _, err := c.application(); err == nil {
		c = inside
	}
	var out []Setting
	for _, set := range c.root.innermost().merged().items {
		if _, ok := cacheName(set.Key); ok {
			out = append(out, set)
		}
	}
	return out
}

// cacheDir is a directory that the cache keeps files in, and the setting that says so.
type cacheDir struct {
	path string
	set  Setting
}

// cacheDirs returns the directories of the files of the cache and of its regions, which
// have the cache's type and data_dir unless they have their own.
func cacheDirs(settings []Setting) []cacheDir {
	conf := newTable()
	for _, set := range settings {
		name, _ := cacheName(set.Key)
		conf.set(Setting{Key: name, Value: set.Value})
	}
	var out []cacheDir
	add := func(region string) {
		value := func(name string) string {
			if v := conf.valueOf(region + name); v != "" {
				return v
			}
			return conf.valueOf(name)
		}
		kind := value("type")
		if kind == "" {
			kind = "memory" // CacheManager's default
		}
		dir := recordsDir(kind, value("data_dir"), value("file_dir"))
		if dir == "" {
			return
		}
		for _, set := range settings {
			if v := set.Value; v == value("file_dir") || v == value("data_dir") {
				out = append(out, cacheDir{dir, set})
				return
			}
		}
	}
	add("")
	for region := range strings.SplitSeq(conf.valueOf("regions"), ",") {
		if region = strings.TrimSpace(region); region != "" {
			add(region + ".")
		}
	}
	return out
}

// recordsDir is where a file or dbm back end has its files; "" for others
// (beaker/container.py, FileNamespaceManager and DBMNamespaceManager).
func recordsDir(kind, dataDir, fileDir string) string {
	switch {
	case kind == "file" || kind == "" && dataDir != "":
		if fileDir != "" {
			return path.Clean(fileDir)
		}
		if dataDir != "" {
			return path.Join(dataDir, "container_file")
		}
	case kind == "dbm" && dataDir != "":
		return path.Join(dataDir, "container_dbm")
	}
	return ""
}
