#include "inference/model_store.hpp"

#include "inference/tests/fixtures.hpp"

#include <fstream>
#include <gmock/gmock.h>

namespace tcfdl::inference {
namespace {

using testing::HasSubstr;
using tests::kModels;
using tests::open_store;
using tests::save;
using tests::small_model;

class Store : public testing::Test {
protected:
  TemporaryDirectory directory_;
  crypto::SigningKey key_ = crypto::SigningKey::generate();
  ModelStore store_ = open_store(directory_, key_);

  [[nodiscard]] std::filesystem::path object(const StoredFile& file) const {
    return directory_.path() / "store/objects" / file.sha256;
  }
  [[nodiscard]] std::size_t objects() const {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(directory_.path() / "store/objects"), {}));
  }
};

TEST_F(Store, KeepsAModelWithItsInputsAndVersions) {
  const auto file = kModels / "ch_PP-OCRv4_det_infer.onnx";
  const auto first = store_.import(file, {"plates/detect", 0});
  ASSERT_TRUE(first) << first.error().message();
  EXPECT_EQ(first->version, 1U);
  EXPECT_EQ(first->inputs.at(0).name, "x");
  EXPECT_EQ(first->inputs.at(0).shape, (std::vector<std::int64_t>{-1, 3, -1, -1}));
  EXPECT_EQ(store_.import(file, {"plates/detect", 0})->version, 2U);
  EXPECT_EQ(store_.import(file, {"plates/detect", 2}).error().code(), Code::kAlreadyExists);
  EXPECT_EQ(store_.list()->size(), 2U);
  EXPECT_EQ(store_.find({"plates/detect", 0})->version, 2U);
  EXPECT_EQ(store_.find({"plates/detect", 1})->id(), first->id());
  EXPECT_THAT(store_.find({"other", 0}).error().message(), HasSubstr("plates/detect@1"));
}

TEST_F(Store, RemovesWhatNothingUsesAnyMore) {
  const auto file = save(directory_, "small.onnx", small_model());
  ASSERT_TRUE(store_.import(file, {"a", 0}));
  ASSERT_TRUE(store_.import(file, {"b", 0}));
  const auto before = objects();
  EXPECT_EQ(store_.remove({"a", 0}), 1U);
  EXPECT_EQ(objects(), before) << "b still uses them";
  EXPECT_EQ(store_.remove({"b", 0}), 1U);
  EXPECT_EQ(objects(), 0U);
  EXPECT_EQ(store_.remove({"b", 0}).error().code(), Code::kNotFound);
}

TEST_F(Store, NoticesAChangedObject) {
  const auto record = store_.import(save(directory_, "small.onnx", small_model()), {"a", 0});
  ASSERT_TRUE(record);
  const auto path = object(record->files.front());
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  std::fstream(path, std::ios::in | std::ios::out | std::ios::binary).seekp(20).put('!');
  const auto work = store_.work();
  EXPECT_EQ(store_.put_out(record->files, work->path()).error().code(), Code::kDataLoss);
}

TEST_F(Store, NoticesAChangedDocumentAndAForeignOwner) {
  ASSERT_TRUE(store_.import(save(directory_, "small.onnx", small_model()), {"a", 0}));
  EXPECT_EQ(open_store(directory_, crypto::SigningKey::generate()).list().error().code(), Code::kUnauthenticated);
  const auto path = directory_.path() / "store/models/a/1.json";
  auto text = *read_text_file(path);
  text.replace(text.find("model.onnx"), 5, "other");
  ASSERT_TRUE(write_file(path, as_bytes(text)));
  EXPECT_EQ(store_.list().error().code(), Code::kUnauthenticated);
  ASSERT_TRUE(write_file(path, as_bytes(text.substr(0, text.size() / 2))));
  EXPECT_EQ(store_.list().error().code(), Code::kDataLoss);
}

TEST_F(Store, RefusesAnOperatorThatOnnxRuntimeDoesNotKnow) {
  auto model = small_model();
  model.mutable_graph()->mutable_node(1)->set_op_type("Teleport");
  const auto refused = store_.import(save(directory_, "teleport.onnx", model), {"a", 0});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::kInvalidArgument);
  EXPECT_THAT(refused.error().message(), HasSubstr("Teleport"));
  EXPECT_EQ(objects(), 0U);
  EXPECT_TRUE(store_.list()->empty());
}

onnx::ModelProto model_with_data_in(const std::string& location) {
  auto model = small_model();
  auto& weight = *model.mutable_graph()->mutable_initializer(0);
  weight.clear_raw_data();
  weight.set_data_location(onnx::TensorProto::EXTERNAL);
  auto& entry = *weight.add_external_data();
  entry.set_key("location");
  entry.set_value(location);
  return model;
}

TEST_F(Store, TakesExternalDataAlong) {
  std::filesystem::create_directory(directory_.path() / "data");
  ASSERT_TRUE(write_file(directory_.path() / "data/w.bin", Bytes(16)));
  const auto record = store_.import(save(directory_, "external.onnx", model_with_data_in("data/w.bin")), {"a", 0});
  ASSERT_TRUE(record) << record.error().message();
  EXPECT_EQ(record->files.at(1).path, "data/w.bin");
  EXPECT_EQ(record->files.at(1).size, 16U);
}

TEST_F(Store, RefusesExternalDataBehindALinkAndMissingOnes) {
  const TemporaryDirectory elsewhere;
  ASSERT_TRUE(write_file(elsewhere.path() / "secret", Bytes(16)));
  std::filesystem::create_symlink(elsewhere.path() / "secret", directory_.path() / "w.bin");
  const auto file = save(directory_, "external.onnx", model_with_data_in("w.bin"));
  EXPECT_THAT(store_.import(file, {"a", 0}).error().message(), HasSubstr("link out of the model's directory"));
  std::filesystem::remove(directory_.path() / "w.bin");
  EXPECT_THAT(store_.import(file, {"a", 0}).error().message(), HasSubstr("missing"));
}

TEST_F(Store, ForgetsTheDirectoriesOfKilledProcesses) {
  const auto left = directory_.path() / "store" / "work" / "left";
  std::filesystem::create_directory(left);
  const auto held = store_.work();
  ASSERT_TRUE(held);
  EXPECT_FALSE(std::filesystem::exists(left));
  EXPECT_TRUE(store_.work());
  EXPECT_TRUE(std::filesystem::exists(held->path()));
}

TEST(RuntimeProcess, TellsOfACrashAndOfTooMuchTime) {
  const TemporaryDirectory directory;
  const auto script = directory.path() / "program";
  ASSERT_TRUE(write_file(script, as_bytes("#!/bin/sh\necho broken >&2\nkill -SEGV $$\n"), 0755));
  const auto crashed = RuntimeProcess(script).run({.model = "m.onnx"});
  ASSERT_FALSE(crashed);
  EXPECT_THAT(crashed.error().message(), HasSubstr("killed by signal 11"));
  EXPECT_THAT(crashed.error().message(), HasSubstr("broken"));
  ASSERT_TRUE(write_file(script, as_bytes("#!/bin/sh\nexec sleep 3600\n"), 0755));
  const auto late = RuntimeProcess(script, std::chrono::milliseconds(1)).run({.model = "m.onnx"});
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code(), Code::kDeadlineExceeded);
}

} // namespace
} // namespace tcfdl::inference
