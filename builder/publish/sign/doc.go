// Package sign signs statements about results, and checks such signatures.
//
// A private key is a PEM file: PKCS#8 as openssl writes it, plain or encrypted, or cosign's own encrypted form. It is an
// ECDSA key on P-256 or an Ed25519 key. What is signed is an in-toto statement in a DSSE envelope, which a
// sigstore bundle carries, so that cosign checks it too.
//
// It promises: neither a key nor a passphrase is in any error or text; nothing but the two kinds of keys
// signs or is believed; a payload is given out only once its signature holds.
//
// It must not know what a statement says, nor where it is kept.
package sign
