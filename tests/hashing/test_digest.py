"""The hash is pinned from outside: it must never change, or all keys move."""

import hashlib
import subprocess
import sys

import pytest

from tensorfleet.hashing import stable_hash


def blake2b_rfc7693(data: bytes, length: int) -> bytes:
    """BLAKE2b without a key, for up to one block, as RFC 7693 section 3 defines it."""
    mask = 2**64 - 1
    initial = [
        0x6A09E667F3BCC908, 0xBB67AE8584CAA73B, 0x3C6EF372FE94F82B, 0xA54FF53A5F1D36F1,
        0x510E527FADE682D1, 0x9B05688C2B3E6C1F, 0x1F83D9ABFB41BD6B, 0x5BE0CD19137E2179,
    ]  # fmt: skip
    orders = [  # the table SIGMA, a row of hexadecimal digits for each round
        "0123456789abcdef", "ea489fd61c02b753", "b8c052fdae367194", "7931dcbe265a40f8",
        "905724afe1bc683d", "2c6a0b834d75fe19", "c51fed4a0763928b",
        "db7ec13950f4862a", "6fe9b308c2d714a5", "a2847615fb9e3cd0",
    ]  # fmt: skip
    sigma = [[int(digit, 16) for digit in order] for order in orders]
    assert len(data) <= 128
    block = data.ljust(128, b"\0")
    m = [int.from_bytes(block[8 * i : 8 * i + 8], "little") for i in range(16)]
    h = [initial[0] ^ 0x01010000 ^ length, *initial[1:]]
    v = h + initial
    v[12] ^= len(data)
    v[14] ^= mask

    def mix(a, b, c, d, x, y):
        for word, first, second in ((x, 32, 24), (y, 16, 63)):
            v[a] = (v[a] + v[b] + word) & mask
            v[d] = rotated(v[d] ^ v[a], first)
            v[c] = (v[c] + v[d]) & mask
            v[b] = rotated(v[b] ^ v[c], second)

    def rotated(x, by):
        return (x >> by | x << (64 - by)) & mask

    columns = [(0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15)]
    diagonals = [(0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)]
    for r in range(12):
        s = sigma[r % 10]
        for i, place in enumerate(columns + diagonals):
            mix(*place, m[s[2 * i]], m[s[2 * i + 1]])
    words = [h[i] ^ v[i] ^ v[i + 8] for i in range(8)]
    return b"".join(word.to_bytes(8, "little") for word in words)[:length]


def test_the_rfc_and_python_agree_on_the_published_vector():
    """RFC 7693, appendix A: BLAKE2b-512 of "abc"."""
    published = bytes.fromhex(
        "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
        "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923"
    )
    assert blake2b_rfc7693(b"abc", 64) == published == hashlib.blake2b(b"abc").digest()


@pytest.mark.parametrize("key", ["", "abc", "adapter-17|llama", "键", "a#63"])
def test_the_hash_is_blake2b_of_8_bytes_by_the_rfc(key):
    expected = int.from_bytes(blake2b_rfc7693(key.encode(), 8), "big")
    assert stable_hash(key) == stable_hash(key.encode()) == expected


@pytest.mark.host
def test_another_process_with_another_salt_finds_the_same():
    program = "from tensorfleet.hashing import stable_hash; print(stable_hash('abc'))"
    for salt in ("0", "1"):
        printed = subprocess.check_output(
            [sys.executable, "-c", program], text=True, env={"PYTHONHASHSEED": salt}
        )
        assert int(printed) == stable_hash("abc")


@pytest.mark.parametrize("key", [7, None, ["a"], 1.5])
def test_a_key_of_the_wrong_type_is_named(key):
    with pytest.raises(TypeError, match="it must be a str"):
        stable_hash(key)


def test_a_lone_surrogate_is_refused():
    with pytest.raises(ValueError, match="surrogates not allowed"):
        stable_hash("\ud800")
