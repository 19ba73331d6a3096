// Checks checkpoints and proofs of a ledger with the checksum database's own packages, which know nothing of us.
//
//	sumdb inclusion VERIFIER-KEY < proof        as c2sp.org/tlog-proof@v1; prints the leaf
//	sumdb consistency VERIFIER-KEY OLD-CHECKPOINT-FILE < proof
//	sumdb note VERIFIER-KEY < any signed note; prints its text
package main

import (
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 2 {
		return fmt.Errorf("usage: sumdb inclusion|consistency|note VERIFIER-KEY [FILE]")
	}
	input, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	if args[0] == "note" {
		verifier, err := note.NewVerifier(args[1])
		if err != nil {
			return err
		}
		opened, err := note.Open(input, note.VerifierList(verifier))
		if err != nil {
			return err
		}
		fmt.Print(opened.Text)
		return nil
	}
	head, signed, found := strings.Cut(string(input), "\n\n")
	if !found {
		return fmt.Errorf("no empty line between proof and checkpoint")
	}
	size, root, err := open(args[1], []byte(signed))
	if err != nil {
		return err
	}
	lines := strings.Split(head, "\n")
	switch args[0] {
	case "inclusion":
		return inclusion(lines, size, root)
	case "consistency":
		if len(args) < 3 {
			return fmt.Errorf("consistency needs the file of the old checkpoint")
		}
		old, err := os.ReadFile(args[2])
		if err != nil {
			return err
		}
		oldSize, oldRoot, err := open(args[1], old)
		if err != nil {
			return err
		}
		if lines[0] != fmt.Sprintf("old %d", oldSize) {
			return fmt.Errorf("the proof is of another size: %s", lines[0])
		}
		proof, err := hashes(lines[1:])
		if err != nil {
			return err
		}
		return tlog.CheckTree(tlog.TreeProof(proof), size, root, oldSize, oldRoot)
	}
	return fmt.Errorf("unknown: %s", args[0])
}

func open(key string, signed []byte) (int64, tlog.Hash, error) {
	verifier, err := note.NewVerifier(key)
	if err != nil {
		return 0, tlog.Hash{}, err
	}
	opened, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		return 0, tlog.Hash{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 || lines[0] != verifier.Name() {
		return 0, tlog.Hash{}, fmt.Errorf("no checkpoint of %s", verifier.Name())
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return 0, tlog.Hash{}, err
	}
	root, err := tlog.ParseHash(lines[2])
	return size, root, err
}

func inclusion(lines []string, size int64, root tlog.Hash) error {
	if len(lines) < 3 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return fmt.Errorf("no proof")
	}
	leaf, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(lines[1], "extra "))
	if err != nil {
		return err
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[2], "index "), 10, 64)
	if err != nil {
		return err
	}
	proof, err := hashes(lines[3:])
	if err != nil {
		return err
	}
	if err := tlog.CheckRecord(tlog.RecordProof(proof), size, root, index, tlog.RecordHash(leaf)); err != nil {
		return err
	}
	fmt.Println(string(leaf))
	return nil
}

func hashes(lines []string) ([]tlog.Hash, error) {
	var found []tlog.Hash
	for _, line := range lines {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return nil, err
		}
		found = append(found, hash)
	}
	return found, nil
}
