//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package filestore

const noAtime = 0
