// Public NATS keys and seeds, as peers and files give them: what parses has one text form.
#include "message_queue/nkey.hpp"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tcfdl::message_queue;
  const auto text = tcfdl::as_text({data, size});
  for (const auto kind : {NkeyKind::kOperator, NkeyKind::kAccount, NkeyKind::kUser, NkeyKind::kServer}) {
    if (const auto key = parse_public_nkey(text, kind); key && public_nkey_text(*key, kind) != text) std::abort();
    if (const auto key = Nkey::parse_seed(text, kind); key && tcfdl::as_text(key->seed_text().span()) != text) {
      std::abort();
    }
  }
  return 0;
}
