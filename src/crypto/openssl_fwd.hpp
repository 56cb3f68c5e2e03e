// Owning handles of libcrypto's objects for headers: no header of OpenSSL is needed to hold one.
#pragma once

#include <memory>

struct bignum_st;
struct ec_point_st;
struct evp_cipher_ctx_st;
struct evp_md_ctx_st;
struct evp_pkey_ctx_st;

namespace tcfdl::crypto {

/// Frees an object of libcrypto and wipes what it held.
struct OpensslDeleter {
  void operator()(bignum_st* object) const noexcept;
  void operator()(evp_cipher_ctx_st* object) const noexcept;
  void operator()(evp_md_ctx_st* object) const noexcept;
  void operator()(evp_pkey_ctx_st* object) const noexcept;
};

template <class T> using OpensslPtr = std::unique_ptr<T, OpensslDeleter>;
using BignumPtr = OpensslPtr<bignum_st>;
using CipherContextPtr = OpensslPtr<evp_cipher_ctx_st>;
using DigestContextPtr = OpensslPtr<evp_md_ctx_st>;
using KeyContextPtr = OpensslPtr<evp_pkey_ctx_st>;

} // namespace tcfdl::crypto
