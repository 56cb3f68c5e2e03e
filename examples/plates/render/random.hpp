// Random numbers that are the same on every machine for the same seed.
#pragma once

#include <cstdint>
#include <random>

namespace plates {

class Random {
public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}

  /// 0 to `count` - 1.
  std::size_t below(std::size_t count) { return static_cast<std::size_t>(engine_() % count); }
  /// `least` to `most`.
  double between(double least, double most) {
    return least + (most - least) * static_cast<double>(engine_() >> 11U) * 0x1p-53;
  }
  bool chance(double probability) { return between(0, 1) < probability; }
  std::uint64_t bits() { return engine_(); }

private:
  std::mt19937_64 engine_;
};

} // namespace plates
