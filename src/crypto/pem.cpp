#include "crypto/pem.hpp"

#include "crypto/openssl.hpp"

#include <openssl/err.h>

namespace tcfdl::crypto {
namespace {

constexpr std::string_view kBegin = "-----BEGIN ";

struct DecoderDeleter {
  void operator()(EVP_ENCODE_CTX* object) const noexcept { EVP_ENCODE_CTX_free(object); }
};

Result<Bytes> decode_base64(std::string_view text) {
  const std::unique_ptr<EVP_ENCODE_CTX, DecoderDeleter> decoder(require_object(EVP_ENCODE_CTX_new(), "a decoder"));
  EVP_DecodeInit(decoder.get());
  Bytes out(text.size() + 3);
  int written = 0;
  int rest = 0;
  const auto bytes = as_bytes(text);
  const bool good =
      EVP_DecodeUpdate(decoder.get(), out.data(), &written, bytes.data(), static_cast<int>(bytes.size())) >= 0 &&
      EVP_DecodeFinal(decoder.get(), out.data() + written, &rest) >= 0;
  ERR_clear_error();
  if (!good || written + rest == 0) return Error(Code::kInvalidArgument, "a PEM block holds no base64");
  out.resize(static_cast<std::size_t>(written) + static_cast<std::size_t>(rest));
  return out;
}

} // namespace

bool is_pem(BytesView bytes) { return as_text(bytes).find(kBegin) != std::string_view::npos; }

Result<std::vector<Bytes>> pem_blocks(BytesView bytes, std::string_view label, std::size_t most) {
  constexpr std::size_t kLargest = std::size_t{16} << 20U;
  if (bytes.size() > kLargest) return make_error(Code::kInvalidArgument, "{} bytes are too many for PEM", bytes.size());
  const auto begin = fmt::format("{}{}-----", kBegin, label);
  const auto end = fmt::format("-----END {}-----", label);
  std::vector<Bytes> blocks;
  auto text = as_text(bytes);
  for (auto at = text.find(begin); at != std::string_view::npos; at = text.find(begin)) {
    text.remove_prefix(at + begin.size());
    const auto stop = text.find(end);
    if (stop == std::string_view::npos) return make_error(Code::kInvalidArgument, "a PEM block has no line '{}'", end);
    if (blocks.size() == most) return make_error(Code::kInvalidArgument, "more than {} blocks '{}'", most, label);
    TCFDL_ASSIGN(auto block, decode_base64(text.substr(0, stop)));
    blocks.push_back(std::move(block));
    text.remove_prefix(stop + end.size());
  }
  if (blocks.empty()) return make_error(Code::kInvalidArgument, "there is no PEM block '{}'", label);
  return blocks;
}

std::string to_pem(BytesView content, std::string_view label) {
  constexpr std::size_t kLine = 64;
  std::string text(4 * (content.size() / 3 + 1) + 1, '\0');
  const int size =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), content.data(), static_cast<int>(content.size()));
  text.resize(static_cast<std::size_t>(size));
  auto pem = fmt::format("{}{}-----\n", kBegin, label);
  for (std::size_t at = 0; at < text.size(); at += kLine) pem.append(text, at, kLine).append("\n");
  return pem + fmt::format("-----END {}-----\n", label);
}

} // namespace tcfdl::crypto
