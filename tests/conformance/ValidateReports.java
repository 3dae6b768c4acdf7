import com.pixelmed.validate.DicomSRValidator;

/**
 * Validates structured reports with one compiled stylesheet: compiling takes longer than most
 * reports do. Prints a line with the path before what the validator says about each.
 */
class ValidateReports {
    public static void main(String[] paths) throws Exception {
        DicomSRValidator validator = new DicomSRValidator();
        for (String path : paths) {
            System.out.println("##### " + path);
            try {
                System.out.println(validator.validate(path));
            } catch (StackOverflowError | OutOfMemoryError tooLarge) {
                System.out.println("Error: too large for the validator: " + tooLarge);
            }
        }
    }
}
