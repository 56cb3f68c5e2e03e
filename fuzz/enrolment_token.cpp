// Enrolment tokens and addresses, as someone pastes them: what parses is within its limits and round-trips.
#include "wire/enrolment_token.hpp"
#include "wire/address.hpp"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tcfdl::wire;
  const auto text = tcfdl::as_text({data, size});
  if (const auto token = parse_enrolment_token(text)) {
    if (token->secret.empty() || token->authority_key_hash.size() != tcfdl::crypto::kSha256Size) std::abort();
    const auto again = parse_enrolment_token(token->text());
    if (!again || again->text() != token->text()) std::abort();
  }
  if (const auto address = parse_address(text)) {
    if (!parse_address(to_string(*address))) std::abort();
  }
  return 0;
}
