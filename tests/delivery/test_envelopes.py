"""What leaves for a phone can be read by that phone, in every form, and no envelope serves twice."""

import os

import http_ece
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from server.delivery.envelopes import (
    LONGEST_PLAINTEXT,
    EnvelopeBox,
    PhoneKeys,
    encrypt,
    encrypt_by_reference,
    lean_form_proves_itself,
    seal,
)


class Phone:
    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.secret = os.urandom(16)
        point = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        self.keys = PhoneKeys(point, self.secret)

    def read(self, body: bytes) -> bytes:
        plain: bytes = http_ece.decrypt(body, private_key=self.key, auth_secret=self.secret, version="aes128gcm")
        return plain


@given(plaintext=st.binary(min_size=1, max_size=LONGEST_PLAINTEXT))
@settings(max_examples=60, deadline=None)
def test_a_phone_reads_our_form_and_the_reference_form_alike(plaintext: bytes) -> None:
    phone = Phone()
    ours, reference = encrypt(seal(phone.keys), plaintext), encrypt_by_reference(phone.keys, plaintext)
    assert phone.read(ours) == plaintext == phone.read(reference)
    assert len(ours) == len(reference) <= 4096
    assert ours[16:21] == reference[16:21], "record size and key length stand alike in both headers"


def test_given_the_same_key_and_salt_both_forms_are_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    phone, ephemeral = Phone(), ec.generate_private_key(ec.SECP256R1())
    monkeypatch.setattr("cryptography.hazmat.primitives.asymmetric.ec.generate_private_key", lambda *_: ephemeral)
    monkeypatch.setattr("os.urandom", lambda size: b"s" * size)
    assert encrypt(seal(phone.keys), b"stand by") == encrypt_by_reference(phone.keys, b"stand by")


def test_another_phone_cannot_read_it() -> None:
    body = encrypt(seal(Phone().keys), b"stand by")
    with pytest.raises(http_ece.ECEException):
        Phone().read(body)


def test_the_longest_message_fits_and_one_byte_more_is_refused() -> None:
    phone = Phone()
    assert len(encrypt(seal(phone.keys), b"x" * LONGEST_PLAINTEXT)) == 4096
    with pytest.raises(ValueError, match="does not fit"):
        encrypt(seal(phone.keys), b"x" * (LONGEST_PLAINTEXT + 1))


def test_the_lean_form_proves_itself_at_start() -> None:
    assert lean_form_proves_itself()


def test_every_envelope_is_used_once_and_refilled_at_idle() -> None:
    phones = [Phone() for _ in range(3)]
    box = EnvelopeBox(each=2)
    box.keep_for(phone.keys for phone in phones)
    assert box.refill(at_most=4) == 4
    assert box.refill(at_most=100) == 2
    assert box.refill(at_most=100) == 0
    assert len(box) == 6
    taken = [box.take(phones[0].keys) for _ in range(5)]
    assert len({envelope.public for envelope in taken}) == 5, "a new key for each message, also when the box is empty"
    assert all(phones[0].read(encrypt(envelope, b"now")) == b"now" for envelope in taken)
    assert box.refill(at_most=100) == 2


def test_envelopes_of_phones_that_left_are_dropped() -> None:
    stays, leaves, comes = Phone(), Phone(), Phone()
    box = EnvelopeBox()
    box.keep_for([stays.keys, leaves.keys])
    box.refill(at_most=10)
    box.keep_for([stays.keys, comes.keys])
    assert len(box) == 1
    assert box.refill(at_most=10) == 1
    assert leaves.read(encrypt(box.take(leaves.keys), b"late")) == b"late", "one no longer kept is still sealed in full"
    assert len(box) == 2
