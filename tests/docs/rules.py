"""What of the READMEs' commands is left out or made short, and why. Everything else is run as it stands."""

# Commands that are not run: (how they begin, reason).
LEFT_OUT = [
    ("scripts/setup", "installs packages and downloads; what it brings is here, or nothing would have been built"),
    ("scripts/build", "builds the program that this test has been given"),
    ("scripts/demo", "trains for minutes; its commands are run one by one in its place, see DEMO"),
    ("scripts/test", "runs the tests, of which this is one"),
    ("ctest", "runs the tests, of which this is one"),
    ("EDMUND_TEST_DEVICE=cuda", "needs a GPU"),
    ("EDMUND_INTERRUPTIONS=", "the long version of a test"),
    ("EDMUND_EVERY_CALL=", "the long version of a test"),
    ("EDMUND_MANY=", "the long version of a test"),
    ("EDMUND_MUTATIONS=", "the long version of a test"),
    ("cmake --preset fuzz", "needs clang and a build of its own"),
    ("cmake --build --preset fuzz", "needs clang and a build of its own"),
    ("build/cuda/", "needs a GPU"),
    ("cd build/cuda", "needs a GPU"),
    ("scripts/lint", "has a step of its own in CI"),
    ("scripts/sanitize", "has a step of its own in CI"),
    ("scripts/format", "changes the sources; scripts/lint checks that there is nothing to change"),
    ("edmund convert ", "takes a model of another project; tests/commands/convert_test.cpp has a small one"),
    ("scripts/bench_peers", "installs PyTorch programs and takes hours"),
]

# What is appended to a command to make it short: (how it begins, text, reason).
SHORT_ABLATION = ("'set=[training.images=512, training.samples_every=512]' 'seeds=[0]' "
                  "compare.images=16 'compare.nfe=[5]' 'compare.metrics=[frechet]'")
SHORTENED = [
    ("edmund train configs/digits.yaml", "training.images=2560 training.samples_every=2560", "two minutes"),
    ("edmund ablate experiments/", SHORT_ABLATION, "trains every arm on 60,000 images"),
    ("edmund compare experiments/samplers-vs-nfe/small.yaml",
     "images=16 'nfe=[4, 9]' distance.images=2", "21 samplers with up to 100 evaluations on 500 images"),
    ("edmund evaluate ", "evaluation.images=100", "1,000 images as the config says"),
    ("edmund sample runs/digits sampling.preset=ddim-paper", "--images 4", "64 images of 50 evaluations"),
    ("edmund optimize-grid ", "--images 8 --held-out 8 --iterations 2", "a search of minutes"),
    ("edmund likelihood ", "--images 2", "a thousand evaluations an image"),
    ("edmund matrix", "--quick", "minutes"),
    ("edmund bench ", "--rounds 1 --min-time 0.01 --batch 2", "times every part for seconds"),
]

# The demo's run, which most commands are about.
DEMO = ["edmund train configs/digits.yaml"]

# What is appended to the demo's training for a run on another clock, on which all commands about a
# run are run once more.
OTHER_CLOCK = "sampling.schedule.type=vp"
