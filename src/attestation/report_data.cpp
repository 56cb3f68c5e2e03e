#include "attestation/report_data.hpp"

namespace tcfdl::attestation {
namespace {

void append_number(Bytes& out, std::size_t number) {
  for (const unsigned shift : {24U, 16U, 8U, 0U}) out.push_back(static_cast<std::uint8_t>(number >> shift));
}

void append_part(Bytes& out, BytesView part) {
  append_number(out, part.size());
  out.insert(out.end(), part.begin(), part.end());
}

} // namespace

crypto::Sha512Digest report_data(std::string_view purpose, BytesView nonce, const std::vector<BytesView>& keys) {
  Bytes text = to_bytes("tcfdl/evidence/1");
  append_part(text, as_bytes(purpose));
  append_part(text, nonce);
  append_number(text, keys.size());
  for (const auto key : keys) append_part(text, key);
  return crypto::sha512(text);
}

} // namespace tcfdl::attestation
