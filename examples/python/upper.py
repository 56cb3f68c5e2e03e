"""A function in Python: the body in upper case. Speaks docs/formats/exec_serve.md."""
import json
import struct
import sys


def requests(stream):
    """Yields (header, body) until the end of the stream."""
    while size := stream.read(4):
        header = json.loads(stream.read(struct.unpack(">I", size)[0]))
        yield header, stream.read(struct.unpack(">Q", stream.read(8))[0])


def answer(stream, header, body=b""):
    text = json.dumps(header).encode()
    stream.write(struct.pack(">I", len(text)) + text + struct.pack(">Q", len(body)) + body)
    stream.flush()


def main():
    for _, body in requests(sys.stdin.buffer):
        try:
            upper = body.decode().upper().encode()
        except UnicodeDecodeError as error:
            answer(sys.stdout.buffer, {"ok": False, "code": "INVALID_ARGUMENT", "message": f"the body: {error}"})
        else:
            answer(sys.stdout.buffer, {"ok": True}, upper)


if __name__ == "__main__":
    main()
