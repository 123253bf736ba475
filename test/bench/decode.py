"""What people decode alerts with today, timed for `npm run bench -- --kafka --python PATH`: fastavro.

    python decode.py MESSAGES.bin.gz    each message with its length (uint32, big-endian) before it

Prints one JSON object: messages a second, on one thread.
"""

import gzip
import io
import json
import struct
import sys
import time

import fastavro

packed = gzip.open(sys.argv[1]).read()
messages = []
at = 0
while at < len(packed):
    (length,) = struct.unpack_from(">I", packed, at)
    messages.append(packed[at + 4 : at + 4 + length])
    at += 4 + length


def decode():
    for message in messages:
        next(fastavro.reader(io.BytesIO(message)))


decode()
count = 0
start = time.perf_counter()
while time.perf_counter() - start < 3:
    decode()
    count += len(messages)
print(json.dumps({"rate": count / (time.perf_counter() - start)}))
