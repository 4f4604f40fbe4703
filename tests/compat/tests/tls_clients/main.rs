//! Real clients over TLS: the two libraries of Blynk that speak it, BearSSL and mbedTLS as small boards have them,
//! OpenSSL and GnuTLS, and two scanners that look for what must not be there.
//!
//! Programs in C are compiled from `clients/` by the tests. What they are given by `tests/setup.sh`: Debian's
//! libbearssl-dev, libmbedtls-dev, openssl, gnutls-bin, sslscan and testssl.sh.

mod bearssl;
mod chain;
mod compiled;
mod fragments;
mod gnutls;
mod libraries;
mod mbedtls;
mod mutual;
mod openssl;
mod pipe;
mod restart;
mod scanners;
