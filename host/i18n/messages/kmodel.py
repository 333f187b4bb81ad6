"""Messages of host/kmodel."""

from ..message import N_, Message

MESSAGES: dict[str, Message] = {
    "kmodel_wrong_version": Message(
        what=N_("This file is not a kmodel V3."),
        found=N_("{found}"),
        needed=N_("a kmodel V3: its first four bytes are 03 00 00 00"),
        fix=N_("Convert the model again with MaixForge; stock MaixPy loads kmodel V3 everywhere."),
    ),
    "kmodel_damaged": Message(
        what=N_("The kmodel is damaged at {where}."),
        found=N_("{found}"),
        needed=N_("a whole file as the converter wrote it"),
        fix=N_("Copy the file again, or convert the model again."),
    ),
    "kmodel_unsafe": Message(
        what=N_("The kmodel would crash the board at {where}."),
        found=N_("{what} at {start} to {end} of {size} {kind}"),
        needed=N_("layers that stay inside the memory that the file asks for"),
        fix=N_("Do not put this file on a board; convert the model again."),
    ),
    "kmodel_value": Message(
        what=N_("The kmodel has a number that the chip cannot work with, at {where}."),
        found=N_("{found}"),
        needed=N_("{needed}"),
        fix=N_("Do not put this file on a board; convert the model again."),
    ),
    "kmodel_16_bit": Message(
        what=N_("The kmodel has 16-bit weights."),
        found=N_("a header without the flag for 8-bit weights"),
        needed=N_("8-bit weights: no file with others is known to run"),
        fix=N_("Convert the model again, with 8-bit weights."),
    ),
    "kmodel_overwrites_input": Message(
        what=N_("The kmodel destroys what it still has to read, at {where}."),
        found=N_(
            "its result at {at} to {until} overwrites its {what} at {start} to {end} ({kind})"
        ),
        needed=N_("a result beside the input, not over it"),
        fix=N_("Do not put this file on a board; convert the model again."),
    ),
    "kmodel_unwritten": Message(
        what=N_("The kmodel reads what nothing has written, at {where}."),
        found=N_("{start} to {end} ({kind}), which nothing has written"),
        needed=N_("the result of an earlier layer"),
        fix=N_("Do not put this file on a board; convert the model again."),
    ),
    "kmodel_torn": Message(
        what=N_("The kmodel reads an overwritten result, at {where}."),
        found=N_("the result of layer {writer}, a part of which layer {other} overwrote"),
        needed=N_("results that stay whole until their last reader"),
        fix=N_("Do not put this file on a board; convert the model again."),
    ),
    "kmodel_mixed": Message(
        what=N_("The kmodel reads the wrong kind of numbers, at {where}."),
        found=N_("{kind}, left by layer {writer}"),
        needed=N_("{needed}"),
        fix=N_("Do not put this file on a board; convert the model again."),
    ),
    "kmodel_too_slow": Message(
        what=N_("The kmodel would take too long for a picture."),
        found=N_("about {seconds} s by our estimate"),
        needed=N_("at most {limit} s"),
        fix=N_("Use a smaller network or a smaller picture."),
    ),
    "kmodel_picture_size": Message(
        what=N_("The picture does not have the size that the model was made for."),
        found=N_("{found}"),
        needed=N_("{needed}"),
        fix=N_("Bring the picture to that size first; MaixForge does so when it reads files."),
    ),
    "kmodel_no_picture_input": Message(
        what=N_("The kmodel does not begin with a picture."),
        found=N_("first layer {found}"),
        needed=N_("a convolution as the first layer"),
        fix=N_("Simulate a model whose input is a picture."),
    ),
    "kmodel_operation_unsupported": Message(
        what=N_("The K210 cannot run layer {path} as it is."),
        found=N_("{found}"),
        needed=N_("{needed}"),
        fix=N_("Change this layer in the network and train again."),
    ),
    "kmodel_same_stride": Message(
        what=N_("Layer {path} has stride 2 with padding='same', which the K210 cannot do."),
        found=N_("padding='same' on {found}, which pads right and bottom only"),
        needed=N_("the same padding on all sides"),
        fix=N_(
            "In Keras use ZeroPadding2D(1) and padding='valid', in PyTorch padding=1; then train "
            "(or fine-tune) again."
        ),
    ),
    "kmodel_border_colours": Message(
        what=N_("Layer {path} reads a border that is slightly off."),
        found=N_(
            "the network scales each colour by itself, but the KPU pads all with one byte: "
            "{levels} levels of 255 beside 0 for the worst colour"
        ),
        needed=N_("one scale and offset for all colours, to be exact at the border"),
        fix=N_("Nothing, if the kmodel agrees with the network; else train with one scale."),
    ),
    "kmodel_range": Message(
        what=N_("The numbers of layer {path} are too large for the KPU."),
        found=N_("{found}"),
        needed=N_("weights and biases of ordinary size"),
        fix=N_("Train with weight decay or batch norm, then convert again."),
    ),
    "kmodel_kpu_ram": Message(
        what=N_("Layer {path} does not fit the KPU's memory."),
        found=N_("{lines} lines of 64 bytes for its input and output together"),
        needed=N_("at most {limit} lines (2 MiB)"),
        fix=N_("Use a smaller input picture or fewer channels."),
    ),
    "nncase_missing": Message(
        what=N_("nncase, which makes kmodel V5 for CanMV firmware, is not installed."),
        found=N_("no nncase in {found}"),
        needed=N_("nncase 1.9.0.20230322 in a Python 3.7 to 3.10"),
        fix=N_(
            "Run make nncase once, or name an interpreter that has it in MAIXFORGE_NNCASE_PYTHON. "
            "Everything but CanMV works without it."
        ),
    ),
    "nncase_failed": Message(
        what=N_("nncase could not finish the kmodel V5."),
        found=N_("{reason}"),
        needed=N_("a network that nncase 1.9 can convert"),
        fix=N_("Train without CanMV; the kmodel V3 for MaixPy does not need nncase."),
    ),
    "nncase_python_missing": Message(
        what=N_("There is no Python that nncase can be installed into."),
        found=N_("{found}"),
        needed=N_("Python 3.7 to 3.10 with its venv module, on PATH or in ~/.pyenv"),
        fix=N_("Install one, for example with pyenv install 3.10, and run make nncase again."),
    ),
    "nncase_setup_failed": Message(
        what=N_("nncase could not be installed into {path}."),
        found=N_("{reason}"),
        needed=N_("a network and 200 MB of disk, once"),
        fix=N_("Look at the reason, then run make nncase again."),
    ),
    "kmodel_model_unreadable": Message(
        what=N_("The network cannot be read."),
        found=N_("{reason}"),
        needed=N_("a float network: .keras, .h5, .onnx or .tflite"),
        fix=N_("Export it again, and copy the whole file."),
    ),
    "kmodel_weights_only": Message(
        what=N_("The file holds weights only, not the network they belong to."),
        found=N_("an .h5 file without the configuration of a model"),
        needed=N_("the whole model, as model.save writes it"),
        fix=N_(
            "Build the network in Python, call model.load_weights with this file, then "
            'model.save("m.keras"), and compile m.keras.'
        ),
    ),
    "kmodel_already_quantized": Message(
        what=N_("The network is already quantized; export the float model."),
        found=N_("{found}"),
        needed=N_("a network of float weights; MaixForge quantizes it for the K210 itself"),
        fix=N_("Export without quantization (TFLite: without Optimize.DEFAULT), then try again."),
    ),
    "kmodel_network_input": Message(
        what=N_("The network's input is no picture that a board could give it."),
        found=N_("{found}"),
        needed=N_("one picture of a fixed size with 1 or 3 channels"),
        fix=N_("Export the network with a fixed height and width and one input."),
    ),
    "kmodel_reader_missing": Message(
        what=N_("To read this file MaixForge needs the package {package}."),
        found=N_("{package} is not installed"),
        needed=N_("{package} in the Python that runs MaixForge"),
        fix=N_("Run: {python} -m pip install {package}"),
    ),
    "kmodel_other_network": Message(
        what=N_("The kmodel was not made from this network."),
        found=N_("its layers differ from layer {path} on"),
        needed=N_("the float model that the kmodel was compiled from"),
        fix=N_("Name the folder of the job that made this kmodel, or compile it again."),
    ),
    "pictures_missing": Message(
        what=N_("{path} has no pictures."),
        found=N_("no file that ends in .jpg, .jpeg, .png or .bmp"),
        needed=N_("a folder of pictures"),
        fix=N_("Name the folder that holds the pictures."),
    ),
}
