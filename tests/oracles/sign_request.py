#!/usr/bin/env python3
"""Signs an HTTP request (RFC 9421) the way a partner would, with libraries that share nothing with the product.

    sign_request.py KEY.pem KEY-ID METHOD URL [--type TYPE] [--created UNIX] [--nonce NONCE] [--cover NAME,NAME...]

reads the body from standard input and prints the fields to send, as one JSON object. Without --cover it covers what the
product asks for.
"""

import argparse
import base64
import datetime
import hashlib
import json
import sys

import requests
from http_message_signatures import HTTPMessageSigner, HTTPSignatureKeyResolver, algorithms


class OneKey(HTTPSignatureKeyResolver):
    def __init__(self, file):
        with open(file, "rb") as opened:
            self.pem = opened.read()

    def resolve_private_key(self, key_id):
        return self.pem


def main():
    parser = argparse.ArgumentParser()
    for name in ["key", "key_id", "method", "url"]:
        parser.add_argument(name)
    parser.add_argument("--type", default="application/json")
    parser.add_argument("--created", type=int)
    parser.add_argument("--nonce")
    parser.add_argument("--cover")
    given = parser.parse_args()

    body = sys.stdin.buffer.read()
    fields = {"Content-Type": given.type} if body else {}
    cover = ["@method", "@target-uri"] + (["content-type", "content-digest"] if body else [])
    if given.cover is not None:
        cover = [name for name in given.cover.split(",") if name]
    digest_covered = "content-digest" in cover
    if body and not digest_covered:
        fields["Content-Digest"] = f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"
    created = datetime.datetime.now(datetime.timezone.utc)
    if given.created is not None:
        created = datetime.datetime.fromtimestamp(given.created, datetime.timezone.utc)

    request = requests.Request(given.method, given.url, data=body or None, headers=fields).prepare()
    signer = HTTPMessageSigner(signature_algorithm=algorithms.ED25519, key_resolver=OneKey(given.key))
    # The library makes the digest that is covered.
    signer.sign(
        request,
        key_id=given.key_id,
        created=created,
        nonce=given.nonce,
        label="partner",
        covered_component_ids=[name for name in cover if name != "content-digest"],
        body=body if digest_covered else None,
        use_existing_digest=bool(body) and not digest_covered,
    )
    names = ["Signature-Input", "Signature", "Content-Type", "Content-Digest"]
    print(json.dumps({name: request.headers[name] for name in names if name in request.headers}))


if __name__ == "__main__":
    main()
