"""Rows 74 to 83: archives, models and films; what holds them lies beside the code that reads them."""

from bad_inputs.row import Row

_DATA, _BUNDLE = "tests/data/", "tests/bundle/"

ROWS = (
    Row(
        74,
        "names in archives that lead outside, links, devices, clashes",
        covered=(
            _DATA + "test_archive.py::test_names_that_lead_outside_are_refused_by_name",
            _DATA + "test_archive.py::test_a_nul_in_a_name_is_refused",
            _DATA + "test_archive.py::test_names_that_clash_are_refused",
            _DATA + "test_archive.py::test_links_and_devices_in_a_tar_are_refused",
            _DATA + "test_archive.py::test_a_link_in_a_zip_is_refused",
            _DATA + "test_archive.py::test_nothing_is_ever_written_beside_or_above",
        ),
    ),
    Row(
        75,
        "archives that unpack to too much",
        covered=(
            _DATA + "test_archive.py::test_too_many_members_or_bytes_are_refused",
            _DATA + "test_archive.py::test_a_bomb_is_counted_while_it_unpacks_and_not_believed",
            _DATA + "test_archive.py::test_a_zip_member_that_lies_about_its_length_is_corrupt",
            _DATA + "test_archive_limits.py::test_a_zips_table_of_contents_is_limited_before_it_is_read",
        ),
    ),
    Row(
        76,
        "writing through a link of a tar",
        covered=(
            _DATA + "test_archive.py::test_links_and_devices_in_a_tar_are_refused",
            _DATA + "test_archive.py::test_nothing_is_ever_written_beside_or_above",
        ),
    ),
    Row(
        77,
        "checkpoints that can run code",
        covered=(
            _BUNDLE + "test_foreign.py::test_foreign_file_is_named",
            _BUNDLE + "test_foreign.py::test_hint_for_what_can_run_code_says_so",
            "tests/cli/test_predict.py::test_a_checkpoint_given_as_model_is_never_unpickled",
            _DATA + "test_npz.py::test_what_is_no_labelled_picture_is_refused_and_nothing_is_unpickled",
        ),
    ),
    Row(
        78,
        "safetensors that lie",
        covered=("tests/tasks/test_bad_weights.py::test_weights_that_lie_are_refused",),
    ),
    Row(
        79,
        "ONNX graphs that reach outside, or never end",
        covered=(
            _BUNDLE + "test_graph.py::test_weights_in_another_file_are_refused",
            _BUNDLE + "test_graph.py::test_operators_of_others_are_refused",
            _BUNDLE + "test_graph.py::test_loops_and_branches_are_refused",
            _BUNDLE + "test_graph.py::test_message_with_millions_of_parts_ends_in_a_refusal",
            _BUNDLE + "test_predictor.py::test_model_of_another_size_than_its_preprocessing_is_refused",
        ),
    ),
    Row(
        80,
        "a bundle that was changed",
        covered=(
            _BUNDLE + "test_container.py::test_every_flipped_bit_is_noticed",
            _BUNDLE + "test_archive.py::test_changed_member_is_refused_though_the_zip_is_sound",
            _BUNDLE + "test_archive.py::test_missing_member_is_refused",
            _BUNDLE + "test_archive.py::test_member_that_the_manifest_does_not_list_is_refused",
            _BUNDLE + "test_container.py::test_doubled_member_is_refused",
            _BUNDLE + "test_manifest.py::test_another_major_schema_asks_for_an_upgrade",
            _BUNDLE + "test_manifest.py::test_what_is_no_manifest_is_refused",
        ),
    ),
    # There are no signatures: a bundle is trusted by its digest, which whoever serves it compares.
    Row(81, "signatures", covered=(_BUNDLE + "test_manifest.py::test_digest_of_other_entries_is_refused",)),
    Row(
        82,
        "a file that is exchanged between looking and loading",
        covered=(_BUNDLE + "test_archive.py::test_bytes_that_were_checked_are_the_bytes_that_are_returned",),
    ),
    Row(83, "films", covered=("tests/stream/test_bad_video.py",)),
)
