"""Checks the audit log as a stranger would: with hashlib, the format in docs/OPERATIONS.md, `openssl dgst -verify` and
`openssl cms -verify`.

    audit_log.py export FILE KEY [OFFICER_CA]
                                     every entry, leaf, root, head and signature of an export; what officers signed is what
                                     the entries tell, and with OFFICER_CA (PEM) signed by certificates of that CA
    audit_log.py proof FILE KEY      that one entry is under a signed head
    audit_log.py heads FILE KEY      published heads

Prints what it has checked; ends with 1 and a sentence if something does not hold.
"""

import base64
import hashlib
import json
import struct
import subprocess
import sys
import tempfile


def sha256(data):
    return hashlib.sha256(data).digest()


def leaf(entry):
    data = struct.pack(">qqq", entry["sequence"], entry["id"], entry["at"])
    for field in ("actor", "action", "object", "details"):
        octets = entry[field].encode()
        data += struct.pack(">I", len(octets)) + octets
    return sha256(b"\0" + data)


def root(leaves):
    """RFC 6962 section 2.1, word by word."""
    if not leaves:
        return sha256(b"")
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\1" + root(leaves[:k]) + root(leaves[k:]))


def root_by_path(index, size, node, path):
    """RFC 6962 section 2.1.1, from the top down."""
    if size == 1:
        expect(not path, "the path is as long as the tree is high")
        return node
    expect(path, "the path is as long as the tree is high")
    k = 1
    while k * 2 < size:
        k *= 2
    sibling = bytes.fromhex(path[-1])
    if index < k:
        return sha256(b"\1" + root_by_path(index, k, node, path[:-1]) + sibling)
    return sha256(b"\1" + sibling + root_by_path(index - k, size - k, node, path[:-1]))


def expect(holds, rule):
    if not holds:
        sys.exit(f"does not hold: {rule}")


def head(text, signature, key):
    """The fields of a head that openssl has verified."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(base64.b64decode(signature))
        file.flush()
        said = subprocess.run(
            ["openssl", "dgst", "-sha256", "-verify", key, "-signature", file.name],
            input=text.encode(), capture_output=True, check=False)
    expect(said.returncode == 0 and said.stdout.strip() == b"Verified OK", "the audit key has signed " + text)
    lines = text.splitlines()
    expect(lines[0] == "muhr-audit-head/1", "the format of a head")
    fields = dict(line.split(": ", 1) for line in lines[1:])
    return {name: int(fields[name]) if name in ("number", "first", "count") else fields[name] for name in fields}


class Chain:
    def __init__(self):
        self.previous, self.number, self.next = "0" * 64, 1, 1

    def add(self, fields, text):
        expect(fields["number"] == self.number, "heads have no gap")
        expect(fields["previous"] == self.previous, "a head names the one before it")
        expect(fields["first"] == self.next, "a head begins where the one before it ended")
        self.previous, self.number = sha256(text.encode()).hex(), self.number + 1
        self.next += fields["count"]


def statement(value, entry, officer_ca):
    """What an officer signed is what the entry tells; its fields."""
    text = value["text"].encode()
    told = json.loads(entry["details"])
    expect(sha256(text).hex() == told["sha256"], f"entry {entry['id']} tells of what was signed")
    fields = dict(line.split(": ", 1) for line in value["text"].splitlines()[1:])
    expect(fields["object"] == entry["object"] and fields["act"] == told["act"], "a statement is about its object")
    expect(entry["actor"] == "officer:" + fields["officer"], "a statement is its officer's")
    if officer_ca:
        with tempfile.NamedTemporaryFile() as signature, tempfile.NamedTemporaryFile() as content, \
                tempfile.NamedTemporaryFile() as signer:
            signature.write(base64.b64decode(value["signature"]))
            content.write(text)
            signature.flush(), content.flush()
            said = subprocess.run(
                ["openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", signature.name,
                 "-content", content.name, "-CAfile", officer_ca, "-purpose", "any", "-signer", signer.name,
                 "-out", "/dev/null"], capture_output=True, check=False)
            expect(said.returncode == 0, "the officer CA's certificate is under " + value["text"])
            subject = subprocess.run(
                ["openssl", "x509", "-in", signer.name, "-noout", "-subject", "-nameopt", "multiline,utf8"],
                capture_output=True, check=True, text=True).stdout
        names = dict(line.strip().split(" = ", 1) for line in subject.splitlines()[1:])
        names = {name.strip(): value for name, value in names.items()}
        expect(names["commonName"] == fields["officer"], "an officer signs with his own certificate")
    return fields


def export(file, key, officer_ca=None):
    chain, leaves, entries, heads, statements, beside = Chain(), [], 0, 0, 0, None
    newest, approved, issued = {}, {}, 0
    with open(file, encoding="utf-8", newline="\n") as lines:
        expect(json.loads(next(lines)) == {"format": "muhr-audit-export/2"}, "the format of an export")
        for line in lines:
            (kind, value), = json.loads(line).items()
            if kind == "entry":
                entries += 1
                expect(value["sequence"] == entries, "sequence numbers have no gap")
                leaves.append(leaf(value))
                expect(value["leaf_sha256"] == leaves[-1].hex(), f"entry {value['id']} has its leaf")
                details = json.loads(value["details"])
                if value["action"] == "statement.sign":
                    expect(beside and "statement" in beside, "what an officer signed is there")
                    fields = statement(beside["statement"], value, officer_ca)
                    expect(fields["previous"] == newest.get(value["object"], "0" * 64), "statements follow each other")
                    newest[value["object"]] = details["sha256"]
                    statements += 1
                    if fields["act"] == "approve":
                        approved.setdefault(value["object"], set()).add(fields["officer"])
                if value["action"] == "certificate.issue":
                    if beside and "certificate" in beside:
                        der = base64.b64decode(beside["certificate"])
                        expect(sha256(der).hex() == details["certificate_sha256"], "a certificate is the one told of")
                    if details["application"]:
                        issued += 1
                        expect(approved.get("application:" + details["application"]), "it was approved before")
                beside = None
            elif kind == "head":
                fields = head(value["text"], value["signature"], key)
                expect(fields["count"] == len(leaves), "a head counts its entries")
                expect(fields["root"] == root(leaves).hex(), f"the root of head {fields['number']}")
                chain.add(fields, value["text"])
                leaves, heads = [], heads + 1
            else:
                expect(kind in ("statement", "certificate") and beside is None, "what stands beside an entry")
                beside = {kind: value}
    expect(not leaves, "every entry has its head")
    print(f"{entries} entries under {heads} heads")
    print(f"{statements} statements, {issued} certificates for applications")


def proof(file, key):
    with open(file, encoding="utf-8") as text:
        told = json.load(text)
    fields = head(told["head"]["text"], told["head"]["signature"], key)
    entry, index, size = told["entry"], told["index"], told["tree_size"]
    expect(fields["count"] == size and entry["sequence"] == fields["first"] + index, "the place in the tree")
    found = root_by_path(index, size, leaf(entry), told["path"])
    expect(found.hex() == fields["root"], "the path leads to the root")
    print(f"entry {entry['id']} is under head {fields['number']}")


def heads(file, key):
    with open(file, encoding="utf-8", newline="\n") as text:
        blocks = text.read().split("\n\n")
    expect(blocks.pop() == "", "the last head is whole")
    chain = None
    for block in blocks:
        text, signature = block.rsplit("signature: ", 1)
        fields = head(text, signature, key)
        if chain is None:
            chain = Chain()
            chain.previous, chain.number, chain.next = fields["previous"], fields["number"], fields["first"]
        chain.add(fields, text)
    print(f"{len(blocks)} heads")


if __name__ == "__main__":
    {"export": export, "proof": proof, "heads": heads}[sys.argv[1]](*sys.argv[2:])
