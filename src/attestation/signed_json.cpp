#include "attestation/intel_json.hpp"
#include "base/encoding.hpp"

#include <algorithm>

namespace tcfdl::attestation {
namespace {

constexpr std::size_t kDocumentSignatureSize = 64;

Error malformed_document(std::string_view why) {
  return make_error(Code::kInvalidArgument, "the signed document {}", why);
}

/// Finds the ends of values in JSON text, so that the exact bytes of a member are known.
class Scanner {
public:
  explicit Scanner(std::string_view text) : text_(text) {}

  bool take(char wanted) {
    skip_space();
    if (at_ == text_.size() || text_[at_] != wanted) return false;
    ++at_;
    return true;
  }

  /// A text without escapes, without its quotes.
  Result<std::string_view> plain_text() {
    if (!take('"')) return malformed_document("has something else where a text belongs");
    const auto end = text_.find_first_of("\"\\", at_);
    if (end == std::string_view::npos || text_[end] != '"')
      return malformed_document("has a text with escapes or without end");
    const auto text = text_.substr(at_, end - at_);
    at_ = end + 1;
    return text;
  }

  /// An object, from its brace to the one that closes it.
  Result<std::string_view> object() {
    if (!take('{')) return malformed_document("has something else where an object belongs");
    const auto begin = at_ - 1;
    for (std::size_t depth = 1; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '"' && !skip_string()) break;
      if (c == '{' || c == '[') ++depth;
      if ((c == '}' || c == ']') && --depth == 0) return text_.substr(begin, ++at_ - begin);
    }
    return malformed_document("has an object without end");
  }

  bool at_end() {
    skip_space();
    return at_ == text_.size();
  }

private:
  void skip_space() { at_ = std::min(text_.find_first_not_of(" \t\r\n", at_), text_.size()); }

  /// From the opening quote to the closing one.
  bool skip_string() {
    for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      if (text_[at_] == '\\') ++at_;
    }
    return at_ < text_.size();
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

Status take_member(Scanner& scanner, std::string_view member, SignedJson& document) {
  TCFDL_ASSIGN(const auto key, scanner.plain_text());
  if (!scanner.take(':')) return malformed_document("has a key without a value");
  if (key == member && document.body.empty()) {
    TCFDL_ASSIGN(const auto body, scanner.object());
    document.body = as_bytes(body);
    return {};
  }
  if (key != "signature" || !document.signature.empty()) {
    return malformed_document(fmt::format("has other members than one '{}' and one 'signature'", member));
  }
  TCFDL_ASSIGN(const auto hex, scanner.plain_text());
  TCFDL_ASSIGN(document.signature, from_hex(hex));
  if (document.signature.size() == kDocumentSignatureSize) return {};
  return malformed_document(fmt::format("has a signature of {} bytes, not 64", document.signature.size()));
}

} // namespace

Result<SignedJson> SignedJson::parse(BytesView text, std::string_view member) {
  if (text.size() > kLargestJson)
    return malformed_document(fmt::format("has {} bytes, which are too many", text.size()));
  SignedJson document;
  Scanner scanner(as_text(text));
  if (!scanner.take('{')) return malformed_document("is no JSON object");
  TCFDL_TRY(take_member(scanner, member, document));
  if (!scanner.take(',')) return malformed_document("has one member only");
  TCFDL_TRY(take_member(scanner, member, document));
  if (!scanner.take('}') || !scanner.at_end()) return malformed_document("goes on after its two members");
  if (document.body.empty() || document.signature.empty()) return malformed_document("lacks its member or signature");
  return document;
}

} // namespace tcfdl::attestation
