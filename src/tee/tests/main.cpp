// The test program is also the stage that it starts programs with.
#include "tee/stage.hpp"

#include <gtest/gtest.h>

int main(int argc, char** argv) {
  tcfdl::tee::run_stage_if_asked(argc, argv);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
