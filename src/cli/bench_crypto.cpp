#include "cli/bench.hpp"
#include "cli/bench_rows.hpp"
#include "crypto/floor.hpp"
#include "crypto/random.hpp"
#include "wire/capsule.hpp"
#include "wire/hop_records.hpp"

#include <array>
#include <ctime>
#include <deque>

namespace tcfdl::cli {
namespace {

constexpr unsigned kBatch = 10;
constexpr std::array<std::size_t, 3> kSizes{1024, 262144, 4194304};

/// A sender, a function and an instance, with the proxies between them, as the authority sets them up.
struct Parties {
  Parties() {
    wire::Certificate certificate;
    certificate.set_subject("proxy");
    certificate.set_role(wire::ROLE_PROXY);
    certificate.set_issued(now - 1);
    certificate.set_expires(now + 3600);
    certificate.set_verify_key(wire::field(proxy.public_key().bytes()));
    proxy_certificate = wire::sign(authority, certificate);
  }
  [[nodiscard]] wire::KeyScope scope(const std::string& holder) const {
    wire::KeyScope result;
    result.set_function("bench");
    result.set_assurance("software");
    result.set_epoch(1);
    result.set_holder(holder);
    result.set_holder_verify_key(wire::field(sender.public_key().bytes()));
    return result;
  }

  std::int64_t now = std::time(nullptr);
  crypto::SigningKey authority = crypto::SigningKey::generate();
  crypto::SigningKey proxy = crypto::SigningKey::generate();
  crypto::SigningKey sender = crypto::SigningKey::generate();
  crypto::Scalar f = crypto::Scalar::random();
  crypto::Scalar x_sender = crypto::Scalar::random();
  crypto::Scalar x_instance = crypto::Scalar::random();
  wire::Signed proxy_certificate;
};

/// Rows whose floor is one multiplication.
class CapsuleBench {
public:
  static constexpr const char* kFloor = "p256_multiplication";

  explicit CapsuleBench(unsigned repeats)
      : repeats_(repeats), made_(wire::make_capsule({parties_.x_sender.clone(), parties_.scope("sender")},
                                                    parties_.sender, parties_.now)) {}

  Status run(Json& rows) {
    const auto rk = crypto::reencryption_key(parties_.x_sender, parties_.f);
    TCFDL_ASSIGN(const auto ek2, crypto::Point::from_bytes(as_bytes(made_.capsule.ek2())));
    crypto::MultiplicationFloor multiplication(ek2, rk);
    const auto multiply = [&]() -> Status {
      multiplication.run();
      return {};
    };
    TCFDL_ASSIGN(const auto floor, measure(repeats_, multiply, kBatch));
    floor_ = floor.percentile(0.5);
    rows.push_back(bench_row("p256_multiplication", 0, floor, kFloor, floor_));
    const auto reencrypt = [&]() -> Status {
      TCFDL_ASSIGN(const auto point, crypto::Point::from_bytes(as_bytes(made_.capsule.ek2())));
      (void)crypto::reencrypt(rk, point);
      return {};
    };
    TCFDL_TRY(add(rows, "eae_reencrypt", reencrypt));
    return run_proxies(rows);
  }

private:
  Status add(Json& rows, const char* name, const Operation& operation) const {
    TCFDL_ASSIGN(const auto sample, measure(repeats_, operation, kBatch));
    rows.push_back(bench_row(name, 0, sample, kFloor, floor_));
    return {};
  }

  /// All that a capsule costs once: its making, both proxies with their signatures, its opening.
  Status run_proxies(Json& rows) {
    const auto& [now, authority, proxy, sender, f, x_sender, x_instance, certificate] = parties_;
    const wire::SenderKey sender_key{x_sender.clone(), parties_.scope("sender")};
    const wire::ProxyKey provider{crypto::reencryption_key(x_sender, f), parties_.scope("sender")};
    const wire::ProxyKey processor{crypto::reencryption_key(f, x_instance), parties_.scope("instance")};
    const crypto::DecryptionKey instance(x_instance);
    const auto root = authority.public_key();
    TCFDL_ASSIGN(const auto turned, wire::turn_capsule(made_.capsule, provider, proxy, certificate, now));
    TCFDL_ASSIGN(const auto finished, wire::finish_capsule(turned, processor, root, now));
    const auto make = [&]() -> Status {
      (void)wire::make_capsule(sender_key, parties_.sender, parties_.now);
      return {};
    };
    const auto turn = [&] {
      return status(
          wire::turn_capsule(made_.capsule, provider, parties_.proxy, parties_.proxy_certificate, parties_.now));
    };
    const auto finish = [&] { return status(wire::finish_capsule(turned, processor, root, parties_.now)); };
    const auto open = [&] { return status(wire::open_capsule(instance, finished)); };
    TCFDL_TRY(add(rows, "eae_make_capsule", make));
    TCFDL_TRY(add(rows, "eae_turn_capsule", turn));
    TCFDL_TRY(add(rows, "eae_finish_capsule", finish));
    return add(rows, "eae_open_capsule", open);
  }

  template <class T> static Status status(const Result<T>& result) {
    if (!result) return result.error();
    return {};
  }

  unsigned repeats_;
  Parties parties_;
  wire::MadeCapsule made_;
  double floor_ = 0;
};

/// Bodies of one size, beside one AES-128-GCM pass over them.
class EnvelopeBench {
public:
  EnvelopeBench(std::size_t size, unsigned repeats)
      : size_(size), repeats_(size > 1'000'000 ? std::max(20U, repeats / 4) : repeats), plain_(size, 0x5A),
        sealed_(crypto::sealed_size(size)) {}

  Status run(Json& rows) {
    crypto::AeadKey whole(key_.span());
    Bytes buffer(size_ + crypto::kAeadTagSize);
    const auto pass = [&] { return whole.seal({}, {}, plain_, buffer); };
    TCFDL_ASSIGN(const auto floor, measure(repeats_, pass, batch()));
    const auto floor_p50 = floor.percentile(0.5);
    rows.push_back(bench_row(kFloor, size_, floor, kFloor, floor_p50));
    TCFDL_ASSIGN(const auto sealing, measure(repeats_, [this] { return seal(); }, batch()));
    rows.push_back(bench_row("envelope_seal", size_, sealing, kFloor, floor_p50));
    TCFDL_ASSIGN(const auto opening, measure(repeats_, [this] { return open(); }, batch()));
    rows.push_back(bench_row("envelope_open", size_, opening, kFloor, floor_p50));
    return {};
  }

private:
  static constexpr const char* kFloor = "aes_128_gcm_pass";
  static constexpr std::string_view kHeader = "the sealed header of a task";

  [[nodiscard]] unsigned batch() const { return size_ < 100'000 ? kBatch : 1; }

  /// Keys from the capsule's, then every segment: what a sender does for one body.
  Status seal() {
    crypto::SegmentSealer sealer(key_.span(), salt_, "request", as_bytes(kHeader));
    auto out = std::span(sealed_);
    for (std::size_t at = 0; at < size_; at += crypto::kSegmentSize) {
      const auto part = BytesView(plain_).subspan(at, std::min(crypto::kSegmentSize, size_ - at));
      TCFDL_ASSIGN(const auto written, sealer.seal(part, at + part.size() == size_, out));
      out = out.subspan(written);
    }
    return {};
  }

  Status open() {
    crypto::SegmentOpener opener(key_.span(), salt_, "request", as_bytes(kHeader));
    for (std::size_t at = 0; at < sealed_.size(); at += crypto::kSealedSegmentSize) {
      const auto part = BytesView(sealed_).subspan(at, std::min(crypto::kSealedSegmentSize, sealed_.size() - at));
      TCFDL_TRY(opener.open(part, at + part.size() == sealed_.size(), segment_));
    }
    return opener.finish();
  }

  std::size_t size_;
  unsigned repeats_;
  Bytes plain_;
  Bytes sealed_;
  Bytes segment_ = Bytes(crypto::kSegmentSize);
  crypto::SecretArray<crypto::kAeadKeySize> key_ = crypto::random_secret<crypto::kAeadKeySize>();
  crypto::Salt salt_ = crypto::random_array<crypto::kSaltSize>();
};

/// A body through two proxies: sealed and opened on each of three hops, record by record, beside six AES-128-GCM
/// passes.
class HopBench {
public:
  HopBench(std::size_t size, unsigned repeats)
      : size_(size), repeats_(size > 1'000'000 ? std::max(20U, repeats / 4) : repeats), plain_(size, 0x5A) {
    for (int i = 0; i < 3; ++i) {
      const auto secret = crypto::random_secret<32>();
      hops_.emplace_back(wire::HopSecret::copy_of(secret.span()), wire::HopSecret::copy_of(secret.span()));
    }
  }

  Status run(Json& rows) {
    crypto::AeadKey whole(key_.span());
    Bytes buffer(size_ + crypto::kAeadTagSize);
    const auto passes = [&]() -> Status {
      for (int i = 0; i < 6; ++i) TCFDL_TRY(whole.seal({}, {}, plain_, buffer));
      return {};
    };
    TCFDL_ASSIGN(const auto floor, measure(repeats_, passes, batch()));
    const auto floor_p50 = floor.percentile(0.5);
    rows.push_back(bench_row(kFloor, size_, floor, kFloor, floor_p50));
    TCFDL_ASSIGN(const auto sample, measure(repeats_, [this] { return carry(); }, batch()));
    rows.push_back(bench_row("hse_three_hops", size_, sample, kFloor, floor_p50));
    return {};
  }

private:
  static constexpr const char* kFloor = "aes_128_gcm_six_passes";
  struct Hop {
    Hop(wire::HopSecret sealing, wire::HopSecret opening)
        : sealer(wire::HopDirection::kRequest, std::move(sealing)),
          opener(wire::HopDirection::kRequest, std::move(opening)) {}
    wire::HopSealer sealer;
    wire::HopOpener opener;
    Bytes record{};
    Bytes content{};
  };

  [[nodiscard]] unsigned batch() const { return size_ < 100'000 ? kBatch : 1; }

  Status carry() {
    for (std::size_t at = 0; at < size_; at += crypto::kSegmentSize) {
      auto part = BytesView(plain_).subspan(at, std::min(crypto::kSegmentSize, size_ - at));
      const auto kind = at + part.size() == size_ ? wire::FrameKind::kLastSegment : wire::FrameKind::kSegment;
      for (auto& hop : hops_) {
        TCFDL_TRY(hop.sealer.seal(kind, task_, part, hop.record));
        TCFDL_TRY(hop.opener.open(kind, hop.record, hop.content));
        part = hop.content;
      }
    }
    return {};
  }

  std::size_t size_;
  unsigned repeats_;
  Bytes plain_;
  crypto::SecretArray<crypto::kAeadKeySize> key_ = crypto::random_secret<crypto::kAeadKeySize>();
  wire::HopTask task_ = crypto::random_array<16>();
  std::deque<Hop> hops_;
};

} // namespace

Result<Json> bench_crypto(unsigned repeats) {
  Json rows = Json::array();
  TCFDL_TRY(CapsuleBench(repeats).run(rows));
  const auto multiplication = rows[0]["p50_us"].get<double>();
  TCFDL_TRY(bench_session(repeats, CapsuleBench::kFloor, multiplication, rows));
  for (const auto size : kSizes) TCFDL_TRY(EnvelopeBench(size, repeats).run(rows));
  for (const auto size : kSizes) TCFDL_TRY(HopBench(size, repeats).run(rows));
  TCFDL_TRY(bench_attestation(repeats, CapsuleBench::kFloor, multiplication, rows));
  return rows;
}

} // namespace tcfdl::cli
