import com.pixelmed.validate.DicomSRValidator;
import java.lang.reflect.Field;
import net.sf.saxon.jaxp.TransformerImpl;

/**
 * Validates structured reports with one compiled stylesheet: compiling takes longer than reports
 * do. Prints a line with the path before what the validator says about each.
 *
 * <p>Saxon transforms some twenty times faster than the XSLT processor of the JDK. It keeps what
 * {@code document()} has read, and the second pass of the validator reads by that way which items
 * the first pass has matched: what it keeps of one report has to be forgotten before the next.
 */
class ValidateReports {
    public static void main(String[] paths) throws Exception {
        DicomSRValidator validator = new DicomSRValidator();
        Field secondPass = DicomSRValidator.class.getDeclaredField("transformerPass2");
        secondPass.setAccessible(true);
        TransformerImpl matched = (TransformerImpl) secondPass.get(validator);
        for (String path : paths) {
            System.out.println("##### " + path);
            try {
                matched.getUnderlyingController().clearDocumentPool();
                System.out.println(validator.validate(path));
            } catch (StackOverflowError | OutOfMemoryError tooLarge) {
                System.out.println("Error: too large for the validator: " + tooLarge);
            }
        }
    }
}
