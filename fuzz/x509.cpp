// Certificates, bundles and revocation lists, PEM and DER; what parses can be checked against itself.
#include "crypto/x509.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tcfdl;
  const BytesView bytes(data, size);
  if (const auto list = crypto::Crl::parse(bytes)) (void)list->revokes({1});
  const auto bundle = crypto::parse_certificates(bytes);
  if (!bundle) return 0;
  for (const auto& certificate : *bundle) {
    const auto again = crypto::Certificate::parse(certificate.der());
    if (!again || *again != certificate || certificate.serial().empty()) std::abort();
    (void)certificate.extension("1.2.840.113741.1.13.1");
    (void)certificate.verify_ecdsa(bytes, Bytes(64, 1));
  }
  if (const auto chain = crypto::build_chain(bundle->front(), *bundle))
    (void)crypto::check_chain(*chain, 1'750'000'000);
  return 0;
}
