"""The 120 cases: what each is about, and the tests that hold it.

`test_table` looks that the tests are there. A test stands as `path::name`, its path
from the folder of tests without the suffix.
"""

from collections.abc import Mapping

_A, _S = "semantics/test_arithmetic", "semantics/test_shapes"
_D, _N, _M = (
    "semantics/test_derivatives",
    "semantics/test_numerics",
    "semantics/test_state",
)
_INTS, _FLOATS = f"{_A}::test_integers", f"{_A}::test_floats"
_SHAPES, _SLOPES = f"{_S}::test_shapes", f"{_D}::test_slopes_at_edges"
_IMAGES = "doors/test_image_cases"
_SAVED, _CACHE, _READ = (
    "runtime/test_checkpoint_files",
    "test_cache",
    "runtime/test_readers",
)

# number: (about, the tests)
CASES: Mapping[int, tuple[str, tuple[str, ...]]] = {
    1: ("quotients of integers are floors", (_INTS,)),
    2: ("the smallest integer by minus one", (_INTS,)),
    3: ("integers by zero", (_INTS, "runtime/test_bounds::test_every_guard_counts")),
    4: ("the smallest integer negated wraps", (_INTS,)),
    5: ("unsigned sums wrap", (_INTS,)),
    6: ("shifts by the width and more", (f"{_A}::test_shifts",)),
    7: (
        "NaN and what is too large as integers",
        (f"{_A}::test_floats_become_integers_within_their_range",),
    ),
    8: ("integers through booleans", (_INTS,)),
    9: ("promotions", (f"{_A}::test_promotions_are_numpys",)),
    10: ("quotients of integers are floats", (f"{_A}::test_promotions_are_numpys",)),
    11: ("sums of small types", (_INTS, f"{_A}::test_half_precision")),
    12: (
        "powers of integers, squares and halves",
        (
            f"{_A}::test_negative_powers_of_integers_are_refused",
            f"{_A}::test_powers_at_the_edges",
            _FLOATS,
        ),
    ),
    13: ("powers of 0, 1 and NaN", (f"{_A}::test_powers_at_the_edges",)),
    14: ("roots of zeros", (_FLOATS,)),
    15: ("what is not cancelled", (_FLOATS,)),
    16: ("log of exp, root of a square", (_FLOATS,)),
    17: ("exp times exp", (_FLOATS,)),
    18: (
        "one by exp plus c",
        (
            f"{_A}::test_one_plus_exp_is_a_sigmoid_for_one_alone",
            "passes/test_stabilize::test_only_an_exact_one_makes_a_stable_form",
        ),
    ),
    19: ("the larger of NaN and a number", (_FLOATS,)),
    20: ("clip", (_FLOATS, f"{_D}::test_both_arguments_of_new_values")),
    21: ("sign", (_FLOATS,)),
    22: ("halves round to even", (_FLOATS,)),
    23: ("remainders of floats", (_FLOATS,)),
    24: ("large whole numbers", (_FLOATS,)),
    25: ("subnormal numbers", (_FLOATS,)),
    26: ("comparisons with NaN", (_FLOATS,)),
    27: (
        "integers against floats beyond 2^53",
        (f"{_A}::test_integers_and_floats_compare_as_numpy_compares_them",),
    ),
    28: (
        "no contraction",
        (_FLOATS, "backend/test_codegen::test_nothing_is_contracted"),
    ),
    29: ("division by a constant", (_FLOATS,)),
    30: ("half precision overflows", (f"{_A}::test_half_precision",)),
    31: ("no axes", (_SHAPES,)),
    32: (
        "zero meets one",
        (
            _SHAPES,
            f"{_S}::test_sizes_that_do_not_fit_are_refused_with_both_shapes",
        ),
    ),
    33: (
        "axes of no elements",
        (
            _SHAPES,
            f"{_S}::test_a_mean_of_nothing_is_nan_and_a_largest_of_nothing_is_refused",
        ),
    ),
    34: (
        "reshape of nothing",
        (
            _SHAPES,
            f"{_S}::test_sizes_that_do_not_fit_are_refused_with_both_shapes",
        ),
    ),
    35: ("concatenate of nothing, of one, of types", (_SHAPES,)),
    36: (
        "sizes unknown while compiling",
        (
            f"{_S}::test_derivatives_have_the_shapes_of_their_operands",
            "doors/test_size_guards::test_sizes_that_do_not_fit_are_errors_of_the_call",
        ),
    ),
    37: (
        "derivatives of what is broadcast",
        (f"{_S}::test_derivatives_have_the_shapes_of_their_operands",),
    ),
    38: ("indices out of range", (f"{_S}::test_indices_out_of_range",)),
    39: ("places meant twice", (f"{_S}::test_places_that_are_meant_twice",)),
    40: ("sums at places read again", (f"{_S}::test_places_that_are_meant_twice",)),
    41: ("every slice of short axes", (f"{_S}::test_every_slice_of_short_axes",)),
    42: ("layouts", (f"{_S}::test_layouts_of_inputs",)),
    43: ("arrays that are none", (f"{_S}::test_arrays_that_are_none",)),
    44: (
        "sizes beyond memory",
        (
            f"{_S}::test_sizes_beyond_memory",
            "hostile/test_sizes::test_too_large_tensors",
        ),
    ),
    45: ("offsets beyond 2^31", (f"{_S}::test_offsets_beyond_32_bits",)),
    46: (
        "views of views",
        (_SHAPES, "passes/test_in_place::test_only_what_is_safe_is_written_in_place"),
    ),
    47: ("the first largest", (f"{_S}::test_the_first_largest",)),
    48: ("a sum of a join", (_SHAPES,)),
    49: ("sums of sums", (_SHAPES,)),
    50: ("einsum", (f"{_S}::test_einsum_of_repeated_labels_and_ones",)),
    51: ("sorts", (f"{_S}::test_sorts_and_ties",)),
    52: (
        "running sums and products",
        (f"{_S}::test_running_products_of_axes_of_length_0_and_1",),
    ),
    53: ("tile, repeat, pad, counts", (_SHAPES,)),
    54: (
        "derivatives at edges",
        (
            _SLOPES,
            f"{_D}::test_ties_are_shared",
            "test_docs_numerics::test_derivatives_at_edges",
        ),
    ),
    55: (
        "windows of equal elements",
        (f"{_D}::test_windows_of_equal_elements_give_one_of_them",),
    ),
    56: ("the safe choice", (_SLOPES,)),
    57: ("a value used twice", (f"{_D}::test_a_value_that_is_used_twice",)),
    58: ("no derivative", (f"{_D}::test_what_has_no_derivative_is_refused",)),
    59: ("stops", (f"{_D}::test_a_stop_is_not_merged_with_what_it_stops",)),
    60: (
        "second derivatives",
        (
            "test_gradients::test_second_gradient_equals_central_differences",
            f"{_D}::test_windows_of_equal_elements_give_one_of_them",
        ),
    ),
    61: (
        "loops of any length; their derivative is refused in this version",
        (
            "doors/test_scan::test_a_recurrence",
            "doors/test_scan::test_the_length_is_a_number_or_a_size_or_a_value",
            "passes/test_scans::test_a_derivative_through_a_loop_is_refused",
        ),
    ),
    62: ("constants", (f"{_D}::test_the_derivative_of_a_constant_is_zero",)),
    63: ("new values and bounds", (f"{_D}::test_both_arguments_of_new_values",)),
    64: (
        "a derivative before and after optimising",
        (
            f"{_D}::test_sums_over_axes_of_no_and_one_element",
            "passes/test_random_programs::test_exact_passes_after_autodiff_keep_every_bit",
        ),
    ),
    65: (
        "axes of no and one element",
        (f"{_D}::test_sums_over_axes_of_no_and_one_element",),
    ),
    66: (
        "the check of derivatives finds wrong ones",
        (
            "test_gradients::test_gradient_equals_central_differences",
            "test_gradients::test_the_check_finds_a_planted_wrong_rule",
        ),
    ),
    67: ("log of softmax", (f"{_N}::test_the_logarithm_of_a_softmax_is_finite",)),
    68: ("cross-entropy of logits", (f"{_N}::test_cross_entropy_of_large_logits",)),
    69: ("sums of exponentials", (f"{_N}::test_sums_of_exponentials_at_infinity",)),
    70: ("near zero and far out", (f"{_N}::test_what_is_near_zero_and_far_out",)),
    71: ("long sums", (f"{_N}::test_long_sums_along_any_axis",)),
    72: ("variances", (f"{_N}::test_variances_and_means",)),
    73: (
        "means that do not overflow",
        (
            f"{_N}::test_variances_and_means",
            "test_tails::test_a_mean_overflows_only_where_its_value_does",
        ),
    ),
    74: ("products", (f"{_N}::test_products_are_within_their_bound",)),
    75: (
        "norms of any size",
        ("test_tails::test_norm_and_spread_of_any_size",),
    ),
    76: ("a batch of one", (f"{_N}::test_variances_and_means",)),
    77: ("saturation", (f"{_N}::test_saturation",)),
    78: ("Adam", (f"{_N}::test_adam_by_hand",)),
    79: (
        "edges of convolutions",
        (
            f"{_IMAGES}::test_79_edges_of_convolutions_have_values_and_slopes",
            f"{_IMAGES}::test_79_a_kernel_that_is_larger_than_the_padded_image_is_refused",
        ),
    ),
    80: (
        "convolution and correlation",
        (
            f"{_IMAGES}::test_80_a_convolution_flips_its_kernel_and_a_correlation_does_not",
        ),
    ),
    81: (
        "declared shapes",
        (f"{_IMAGES}::test_81_a_declared_shape_that_the_array_has_not_is_refused",),
    ),
    82: (
        "several sizes give one",
        (f"{_IMAGES}::test_82_sizes_that_give_one_size_have_their_own_gradients",),
    ),
    83: (
        "pools",
        (
            f"{_IMAGES}::test_83_a_mean_counts_the_padding_or_not_and_the_last_windows_or_not",
            f"{_IMAGES}::test_83_windows_of_infinities_and_nan",
        ),
    ),
    84: (
        "same stream for every thread count and level; the state in checkpoints",
        (
            "semantics/test_random::test_same_stream_for_any_threads_and_level",
            "doors/test_random::test_a_step_trains_and_resumes_to_the_same_bits",
        ),
    ),
    85: (
        "every seed is valid, 0 is not degenerate",
        ("semantics/test_random::test_every_seed_is_one",),
    ),
    86: (
        "draws are not merged, what is unread shifts none",
        ("semantics/test_random::test_draws_are_neither_merged_nor_shifted",),
    ),
    87: (
        "streams are apart",
        ("semantics/test_random::test_streams_have_nothing_to_do_with_each_other",),
    ),
    88: (
        "uniform is below 1, normal is finite",
        (
            "semantics/test_random::test_uniform_numbers_stay_below_their_end",
            "semantics/test_random::test_the_ends_of_bits_give_finite_numbers",
            "semantics/test_random::test_the_ends_of_bits_through_each_distribution",
        ),
    ),
    89: (
        "p = 0 and p = 1 are exact",
        ("semantics/test_random::test_certain_events",),
    ),
    90: (
        "a battery, and known answers",
        (
            "test_random_bits::test_published_vectors",
            "doors/test_random::test_distributions_are_what_they_are_called",
        ),
    ),
    91: (
        "updates read old values",
        (
            f"{_M}::test_the_order_of_updates_is_irrelevant",
            "doors/test_door_behaviours::test_a_swap_reads_both_first",
        ),
    ),
    92: (
        "an exception leaves all state",
        (
            "programs/test_interrupts::test_an_index_error_leaves_all_state_as_it_was",
            "passes/test_in_place::test_an_index_error_leaves_all_memory_as_it_was",
        ),
    ),
    93: (
        "one array in two places",
        (
            f"{_M}::test_one_array_in_two_places",
            "runtime/test_overlap::test_a_view_of_the_memory_is_read_as_it_was",
        ),
    ),
    94: ("inputs are never written", (f"{_M}::test_one_array_in_two_places",)),
    95: (
        "interrupts",
        (
            "programs/test_interrupts::test_ctrl_c_in_an_epoch_leaves_the_state_of_a_whole_step",
            "programs/test_checkpoints::test_signals_write_a_checkpoint_first",
        ),
    ),
    96: (
        "early stopping",
        (
            "runtime/test_training::test_patience_follows_the_tutorial",
            "runtime/test_divergence::test_training_ends_at_the_batch",
        ),
    ),
    97: (
        "small data",
        (
            "runtime/test_bounds::test_batches_are_whole",
            "runtime/test_training::test_what_cannot_be_trained_says_why",
        ),
    ),
    98: (
        "resume within an epoch",
        ("runtime/test_resume::test_from_every_batch_boundary",),
    ),
    99: (
        "threads",
        (
            "runtime/test_function::test_threads_neither_mix_nor_lose_updates",
            "doors/test_jit::test_threads_share_one_compilation",
        ),
    ),
    100: (
        "forks",
        (
            "runtime/test_threads::test_a_forked_child_computes",
            "runtime/test_locks::test_a_child_uses_what_another_thread_held",
        ),
    ),
    101: ("results outlive functions", (f"{_M}::test_results_outlive_their_function",)),
    102: (
        "many shapes",
        (
            f"{_M}::test_many_shapes_are_served_by_one_form",
            "doors/test_calls::test_plans_are_bounded_and_serve_all_sizes",
        ),
    ),
    103: (
        "no memory",
        (
            "runtime/test_bounds::test_memory_that_there_is_not_is_an_error_of_its_own",
            "cli/test_address_space::test_any_limit_gives_a_diagnostic_or_the_result",
        ),
    ),
    104: (
        "small stacks",
        ("passes/test_stack::test_a_thread_with_a_small_stack_runs_them",),
    ),
    105: (
        "damaged entries of the cache",
        (
            f"{_CACHE}::test_an_entry_cut_off_anywhere_is_a_miss",
            f"{_CACHE}::test_an_entry_with_any_bit_flipped_is_a_miss",
            f"{_CACHE}::test_a_directory_that_cannot_be_made_costs_a_warning",
        ),
    ),
    106: ("one cache for many", (f"{_CACHE}::test_processes_share_one_cache",)),
    107: (
        "what a key is made of",
        (
            f"{_CACHE}::test_the_key_follows_text_place_options_target_and_package",
            f"{_CACHE}::test_parts_of_a_key_keep_their_borders",
        ),
    ),
    108: (
        "a cache that others can write",
        (f"{_CACHE}::test_what_others_can_write_is_not_used",),
    ),
    109: (
        "killed while saving",
        (
            "programs/test_same_bits::test_a_run_killed_at_20_random_times_ends_with_the_same_bits",
            f"{_SAVED}::test_a_full_disk_leaves_the_old_file",
        ),
    ),
    110: (
        "damaged checkpoints",
        (f"{_SAVED}::test_hostile_headers", f"{_SAVED}::test_flipped_anywhere"),
    ),
    111: ("names in checkpoints", (f"{_SAVED}::test_hostile_headers",)),
    112: (
        "pickles",
        (
            f"{_READ}::test_other_pickles_are_refused",
            f"{_READ}::test_reading_a_pickle_runs_nothing",
        ),
    ),
    113: (
        "gzip",
        (
            "runtime/test_data::test_several_gzip_members_and_empty_arrays",
            "runtime/test_data::test_a_wrong_crc_is_found",
            "runtime/test_unfolding::test_bombs_are_refused_in_little_memory",
        ),
    ),
    114: (
        "npy, npz and IDX",
        (
            f"{_SAVED}::test_hostile_npy",
            f"{_SAVED}::test_hostile_npz",
            "runtime/test_data::test_damaged_files",
        ),
    ),
    115: (
        "odd sources",
        (
            "frontend/test_mistakes::test_limits",
            "frontend/test_parser::test_line_ends_and_mark",
            "frontend/test_parser::test_files_that_cannot_be_read",
        ),
    ),
    116: (
        "odd names",
        (
            "programs/test_names::test_a_function_may_have_any_name",
            "backend/test_codegen::test_names_are_mangled",
        ),
    ),
    117: (
        "control characters",
        ("frontend/test_diagnostics::test_control_characters_are_escaped",),
    ),
    118: (
        "damaged IR",
        (
            "ir/test_ir_hostile::test_mutated_text_gives_diagnostics_only",
            "ir/test_ir_verifier::test_invalid_functions",
        ),
    ),
    119: ("the scanner", (f"{_M}::test_the_scanner_takes_linear_time",)),
    120: ("imports", (f"{_M}::test_nothing_is_imported",)),
}
