import J2Ci.jDVInterface;
import dicomscope.DICOMscope;
import java.awt.image.BufferedImage;
import java.io.File;
import java.lang.reflect.Field;
import javax.imageio.ImageIO;
import javax.swing.SwingUtilities;
import main.Controller;
import main.ImageActionEvent;
import main.MainContext;

/**
 * Opens a presentation state with its image in DICOMscope's viewer and writes what its window
 * shows as a PNG: what a person does with "Load presentation state", without the file dialog.
 */
class ShowPresentation {
    private static final long UNTIL_IT_IS_PAINTED_MS = 3000;

    public static void main(String[] files) throws Exception {
        MainContext.instance();
        DICOMscope window = new DICOMscope();
        window.setVisible(true);
        Field inside = DICOMscope.class.getDeclaredField("dvi");
        inside.setAccessible(true);
        int status = ((jDVInterface) inside.get(window)).loadPState(files[0], files[1]);
        if (status != 0) {
            System.err.println("DICOMscope loads it with status " + status);
            System.exit(1);
        }
        SwingUtilities.invokeAndWait(() -> {
            Controller.instance().fireEvent(
                new ImageActionEvent(window, ImageActionEvent.ACTION_SETNEWIMAGE, 1, 1));
            window.switchToViewer();
        });
        Thread.sleep(UNTIL_IT_IS_PAINTED_MS);
        BufferedImage shown =
            new BufferedImage(window.getWidth(), window.getHeight(), BufferedImage.TYPE_INT_RGB);
        SwingUtilities.invokeAndWait(() -> window.printAll(shown.getGraphics()));
        ImageIO.write(shown, "png", new File(files[2]));
        System.exit(0);
    }
}
