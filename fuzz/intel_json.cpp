// The signed JSON of Intel: the member's bytes lie in the document, and its content parses or is refused.
#include "attestation/intel_json.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tcfdl;
  const BytesView text(data, size);
  for (const auto* member : {"tcbInfo", "enclaveIdentity"}) {
    const auto document = attestation::SignedJson::parse(text, member);
    if (!document) continue;
    if (document->body.data() < data || document->body.data() + document->body.size() > data + size) std::abort();
    (void)attestation::parse_tcb_info(document->body);
    (void)attestation::parse_qe_identity(document->body);
  }
  (void)attestation::parse_tcb_info(text);
  (void)attestation::parse_qe_identity(text);
  return 0;
}
